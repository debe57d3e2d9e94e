/* A network in the memory of playground.c: what is chosen goes in, what it says comes out. */
"use strict";

const N_INPUTS = 2;

/* The fields of Choice in playground.c, in their order. */
const FIELDS = [
  "n_samples", "n_classes", "n_hidden", "n_units",
  "activation", "constant", "initializer", "has_slope", "slope", "slope_factor",
  "dropout", "alpha", "learning_rate", "beta_1", "beta_2", "epsilon", "seed",
];

class Network {
  /* Instantiate the module, given in base64; it asks for the time and for nothing else. */
  static async load(base64) {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    let memory;
    const system = {
      clock_time_get(clock, precision, address) {
        const time = BigInt(Math.round(performance.now() * 1e6));
        new DataView(memory.buffer).setBigUint64(address, time, true);
        return 0;
      },
      poll_oneoff: () => 0, // by which threads sleep: there is one, which never waits
    };
    const imports = { wasi_snapshot_preview1: system };
    const { instance } = await WebAssembly.instantiate(bytes, imports);
    memory = instance.exports.memory;
    instance.exports._initialize();
    return new Network(instance.exports);
  }

  constructor(core) {
    this.core = core;
  }

  /* The memory from an address on, as numbers of this kind. */
  view(Kind, address, length) {
    return new Kind(this.core.memory.buffer, address, length);
  }

  /* Begin anew with rows to learn from: x, row by row, and their classes. */
  start(x, codes, choice) {
    const given = {
      ...choice,
      n_samples: codes.length,
      n_classes: Math.max(...codes) + 1,
    };
    this.n_classes = given.n_classes;
    this.view(Float32Array, this.core.where_x(), x.length).set(x);
    this.view(BigInt64Array, this.core.where_codes(), codes.length).set(codes.map(BigInt));
    const fields = FIELDS.map((name) => Number(given[name]));
    this.view(Float64Array, this.core.where_choice(), FIELDS.length).set(fields);
    this.core.start();
  }

  /* Learn from all rows once; the mean loss on the way. */
  takeEpoch() {
    return this.core.take_epoch();
  }

  /* Rows in the order in which the last epoch took them. */
  order(nRows) {
    return Array.from(this.view(BigInt64Array, this.core.where_order(), nRows), Number);
  }

  /* Probabilities of each class at each point, row by row; valid until the next call. */
  predict(points) {
    const n = points.length / N_INPUTS;
    this.view(Float32Array, this.core.where_points(), points.length).set(points);
    this.core.predict(n);
    return this.view(Float32Array, this.core.where_probabilities(), n * this.n_classes);
  }

  /* All that is learnt, in the order of the attribute `parameters_`. */
  parameters() {
    const size = this.core.collect();
    return Array.from(this.view(Float32Array, this.core.where_parameters(), size));
  }
}
