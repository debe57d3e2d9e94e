/* A network on a page: what core/network.py and core/learner.py do around the core, for two
   inputs and few units, so that a browser trains it without Python. build_playground.py compiles it,
   core and all, to WebAssembly; network.js calls it. Names are those of the core. */

#include "../../skmlp/core/core.c"

enum {
    N_INPUTS = 2,
    MOST_CLASSES = 3,
    MOST_HIDDEN = 3,
    WIDTH = 32, /* most units; all matrices lie in rows of this length */
    MOST_SAMPLES = 1024,
    MOST_POINTS = 16384,
    BATCH_SIZE = 32,
    N_VECTORS = 3 /* parameters, and the two moments of Adam */
};

typedef struct { /* what a reader has chosen, and what Python says of it; see network.js */
    double n_samples, n_classes, n_hidden, n_units;
    double activation, constant, initializer, has_slope, slope, slope_factor;
    double dropout, alpha, learning_rate, beta_1, beta_2, epsilon, seed;
} Choice;

enum { ZEROS, GLOROT_UNIFORM, HE_NORMAL, LECUN_NORMAL }; /* in the order of build_playground.py */

typedef struct { float weight[WIDTH][WIDTH], bias[WIDTH], slope[WIDTH]; } Dense;
typedef float Rows[BATCH_SIZE][WIDTH];

static struct { Rows x, y, derivative, slope_grad, grad; } scratch[MOST_HIDDEN + 1];
static float transposed[MOST_HIDDEN + 1][WIDTH][WIDTH];
static float class_major[4][BATCH_SIZE], losses[BATCH_SIZE];
static Dense vectors[N_VECTORS][MOST_HIDDEN + 1];

enum { N_NUMBERS = sizeof vectors[0] / (sizeof(float)) }; /* of each vector */

static float x[MOST_SAMPLES][N_INPUTS], points[MOST_POINTS][N_INPUTS];
static int64_t codes[MOST_SAMPLES], order[MOST_SAMPLES];
static float probabilities[MOST_POINTS * MOST_CLASSES];
static float parameters[N_NUMBERS];

static Choice choice;
static Layer layers[MOST_HIDDEN + 1], layers_that_read[MOST_HIDDEN + 1];
static Network network, network_that_reads;
static Optimizer optimizer;

/* ---- Draws. */

static uint64_t state;

/* 64 random bits (Steele et al., 2014: "SplitMix64"). */
static uint64_t draw(void) {
    uint64_t bits = state += 0x9e3779b97f4a7c15u;
    bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9u;
    bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
    return bits ^ (bits >> 31);
}

/* Uniform in (0, 1). */
static double uniform(void) { return ((double)(draw() >> 11) + 0.5) * 0x1p-53; }

/* Normal, of mean 0 and variance 1 (Box and Muller, 1958). */
static double normal(void) {
    double angle = 6.283185307179586 * uniform();
    return sqrt(-2 * log(uniform())) * cos(angle);
}

/* A weight to start with, as nn/initializers.py says. */
static double start_value(int initializer, double fan_in, double fan_out) {
    switch (initializer) {
    case GLOROT_UNIFORM: return (2 * uniform() - 1) * sqrt(6 / (fan_in + fan_out));
    case HE_NORMAL: return normal() * sqrt(2 / fan_in);
    case LECUN_NORMAL: return normal() * sqrt(1 / fan_in);
    default: return 0;
    }
}

static void shuffle_order(int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t other = (int64_t)(draw() % (uint64_t)(i + 1)), kept = order[i];
        order[i] = order[other];
        order[other] = kept;
    }
}

/* ---- The network, as core/network.py fills in its structures. */

static int is_hidden(int64_t i) { return i < (int64_t)choice.n_hidden; }

static void start_layer(int64_t i) {
    Layer *layer = layers + i;
    Dense *dense = vectors[0] + i;
    const int64_t threshold = (int64_t)(choice.dropout * 65536);
    *layer = (Layer){
        .fan_in = i ? (int64_t)choice.n_units : N_INPUTS,
        .fan_out = (int64_t)(is_hidden(i) ? choice.n_units : choice.n_classes),
        .x_stride = WIDTH, .y_stride = WIDTH, .weight_stride = WIDTH, .dropout_scale = 1,
        .weight = *dense->weight, .bias = dense->bias,
        .transposed = i ? *transposed[i] : NULL,
        .x = i ? *scratch[i - 1].y : *scratch[0].x,
        .y = *scratch[i].y, .grad = *scratch[i].grad,
    };
    if (is_hidden(i)) {
        layer->activation = (int64_t)choice.activation;
        layer->constant = (float)choice.constant;
        layer->derivative = *scratch[i].derivative;
        layer->dropout_threshold = (uint32_t)threshold;
        layer->dropout_scale = (float)(1 / (1 - (double)threshold / 65536));
    }
    if (is_hidden(i) && choice.has_slope) {
        layer->slope = dense->slope;
        layer->slope_grad = *scratch[i].slope_grad;
        layer->slope_rate_factor = (float)choice.slope_factor;
    }
    const int top = choice.n_hidden ? GLOROT_UNIFORM : ZEROS;
    for (int64_t row = 0; row < layer->fan_in; row++)
        for (int64_t column = 0; column < layer->fan_out; column++)
            dense->weight[row][column] =
                (float)start_value(is_hidden(i) ? (int)choice.initializer : top,
                                   (double)layer->fan_in, (double)layer->fan_out);
    for (int64_t unit = 0; unit < WIDTH; unit++) dense->slope[unit] = (float)choice.slope;
    layers_that_read[i] = *layer;
    layers_that_read[i].derivative = layers_that_read[i].slope_grad = NULL;
}

/* What has faded becomes 0, as in optim/optimizers.py: numbers too small for a float's full
   precision are slow, and WebAssembly has no mode in which they count as 0. */
static void forget_small(void) {
    float *number = (float *)vectors;
    for (int64_t i = 0; i < N_VECTORS * N_NUMBERS; i++)
        if (fabsf(number[i]) < 1e-30f) number[i] = 0;
}

/* ---- What the page calls. */

EXPORT Choice *where_choice(void) { return &choice; }
EXPORT float *where_x(void) { return *x; }
EXPORT int64_t *where_codes(void) { return codes; }
EXPORT int64_t *where_order(void) { return order; }
EXPORT float *where_points(void) { return *points; }
EXPORT float *where_probabilities(void) { return probabilities; }
EXPORT float *where_parameters(void) { return parameters; }

/* A network that has learnt nothing, as chosen. */
EXPORT void start(void) {
    state = (uint64_t)choice.seed;
    memset(vectors, 0, sizeof vectors);
    memset(scratch, 0, sizeof scratch);
    const int64_t n_layers = (int64_t)choice.n_hidden + 1;
    for (int64_t i = 0; i < n_layers; i++) start_layer(i);
    for (int64_t i = 0; i < MOST_SAMPLES; i++) order[i] = i;
    network = (Network){
        .n_inputs = N_INPUTS, .n_classes = (int64_t)choice.n_classes, .n_layers = n_layers,
        .x_stride = WIDTH, .x = *scratch[0].x, .layers = layers, .class_major = *class_major,
        .n_rows = BATCH_SIZE, .losses = losses,
    };
    network_that_reads = network;
    network_that_reads.layers = layers_that_read;
    optimizer = (Optimizer){
        .kind = ADAM, .state_stride = N_NUMBERS,
        .beta_1 = choice.beta_1, .beta_2 = choice.beta_2, .epsilon = choice.epsilon,
        .l2 = choice.alpha / choice.n_samples,
    };
    prepare(&network);
}

/* Takes a step for each batch of the samples, in a new order; returns the mean loss. */
EXPORT double take_epoch(void) {
    const int64_t n_samples = (int64_t)choice.n_samples;
    double rates[MOST_SAMPLES / BATCH_SIZE], values[MOST_SAMPLES / BATCH_SIZE], sum = 0;
    for (int i = 0; i < MOST_SAMPLES / BATCH_SIZE; i++) rates[i] = choice.learning_rate;
    shuffle_order(n_samples);
    const Samples samples = {.x = *x, .row_stride = N_INPUTS, .column_stride = 1, .y_encoded = codes};
    const Epoch epoch = {
        .order = order, .n_samples = n_samples, .batch_size = BATCH_SIZE,
        .seconds = 3600, .seed = draw(), .learning_rates = rates, .losses = values,
    };
    Team alone = {.n_threads = 1};
    const int64_t n_batches = train(&network, &samples, &optimizer, &epoch, &alone, 0);
    optimizer.t += n_batches;
    forget_small();
    for (int64_t i = 0; i < n_batches; i++) {
        const int64_t left = n_samples - i * BATCH_SIZE;
        sum += values[i] * (double)(left < BATCH_SIZE ? left : BATCH_SIZE);
    }
    return sum / (double)n_samples;
}

/* Probabilities of the classes at the first `n` points. */
EXPORT void predict(int32_t n) {
    const Samples samples = {.x = *points, .row_stride = N_INPUTS, .column_stride = 1};
    predict_logits(&network_that_reads, &samples, 1, 0, n, probabilities);
    const int64_t n_classes = network.n_classes;
    for (float *row = probabilities; row < probabilities + n * n_classes; row += n_classes) {
        float largest = row[0], total = 0;
        for (int64_t k = 1; k < n_classes; k++) largest = row[k] > largest ? row[k] : largest;
        for (int64_t k = 0; k < n_classes; k++) total += row[k] = expf(row[k] - largest);
        for (int64_t k = 0; k < n_classes; k++) row[k] /= total;
    }
}

/* Collects what is learnt, in the order of Architecture.layout; returns how much it is. */
EXPORT int32_t collect(void) {
    float *to = parameters;
    for (int64_t i = 0; i < network.n_layers; i++)
        for (int64_t row = 0; row < layers[i].fan_in; row++, to += layers[i].fan_out)
            memcpy(to, vectors[0][i].weight[row], layers[i].fan_out * sizeof(float));
    for (int64_t i = 0; i < network.n_layers; i++) {
        const size_t size = layers[i].fan_out;
        memcpy(to, vectors[0][i].bias, size * sizeof(float));
        to += size;
        if (!layers[i].slope) continue;
        memcpy(to, vectors[0][i].slope, size * sizeof(float));
        to += size;
    }
    return (int32_t)(to - parameters);
}
