/* Training steps and predictions of small networks: the compiled counterpart of nn/ and optim/.

   One call of `train` does many steps, one call of `predict_logits` many rows. A step goes so:

       each thread takes its rows of the batch, BLOCK rows at a time, so that their activations
       stay in the nearest cache:
           gather -> forward (embed, then per layer: product, activation, dropout)
                  -> compute_loss -> backward
       all threads meet (`synchronize`)
       each thread updates its rows of every weight matrix: the gradient x^T grad of a tile is
       summed in registers and goes into the optimizer at once, without being stored
       all threads meet again

   Layers, activations, losses and optimizers have the names of nn/layers.py, nn/activations.py,
   nn/losses.py and optim/optimizers.py, which say in whole arrays what is said here in tiles.

   Memory belongs to the caller, who has checked all sizes (core/network.py, core/learner.py):
   nothing is allocated here and no bounds are checked. Matrices lie row by row. The `stride` of
   a matrix is the distance from one row to the next, in numbers; it is the number of columns,
   padded so that rows consist of whole vectors. Padding is computed along with the rest; but
   nothing that counts is computed from it. Shapes are in comments as (rows, stride). */

#define _POSIX_C_SOURCE 200112L
#include <math.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#if defined(_WIN32)
#define EXPORT __declspec(dllexport)
#include <windows.h>
#define yield_processor() SwitchToThread()
#else
#define EXPORT __attribute__((visibility("default")))
#define yield_processor() nanosleep(&(struct timespec){0, 50000}, NULL)
#endif

#define INLINE static inline __attribute__((always_inline))
#define PADDING 16
#define BLOCK 32 /* rows that pass through all layers together */

/* ---- Vectors of LANES numbers, by the vector extension of GCC and Clang: + and * act on all
   lanes. A tile of a matrix product has ROWS rows and up to PANEL vectors of columns; its sums
   fill the registers that the instruction set has (8 x 3 of 32 with AVX-512). */

#if defined(__AVX512F__)
#include <immintrin.h>
#define LANES 16
#define ROWS 8
#elif defined(__AVX2__)
#include <immintrin.h>
#define LANES 8
#define ROWS 4
#elif defined(__aarch64__)
#include <arm_neon.h>
#define LANES 4
#define ROWS 8
#else
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#define LANES 4
#define ROWS 4
#endif
#define PANEL 3

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t ints __attribute__((vector_size(4 * LANES)));
typedef uint32_t uints __attribute__((vector_size(4 * LANES)));
typedef float unaligned_vec __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef float vec4 __attribute__((vector_size(16)));
typedef float unaligned_vec4 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t ints4 __attribute__((vector_size(16)));

INLINE vec load(const float *p) { return *(const unaligned_vec *)p; }
INLINE void store(float *p, vec x) { *(unaligned_vec *)p = x; }
INLINE vec4 load_vec4(const float *p) { return *(const unaligned_vec4 *)p; }
INLINE void store_vec4(float *p, vec4 x) { *(unaligned_vec4 *)p = x; }
INLINE vec splat(float x) { return x - (vec){0}; }

INLINE vec blend(ints condition, vec yes, vec no) {
    return (vec)((condition & (ints)yes) | (~condition & (ints)no));
}

/* If one argument is NaN, maximum and minimum are the second one, y. */
#if LANES == 16
INLINE vec maximum(vec x, vec y) { return _mm512_max_ps(x, y); }
INLINE vec minimum(vec x, vec y) { return _mm512_min_ps(x, y); }
INLINE vec square_root(vec x) { return _mm512_sqrt_ps(x); }
INLINE vec nearest(vec x) { return _mm512_roundscale_ps(x, 0); }
#elif LANES == 8
INLINE vec maximum(vec x, vec y) { return _mm256_max_ps(x, y); }
INLINE vec minimum(vec x, vec y) { return _mm256_min_ps(x, y); }
INLINE vec square_root(vec x) { return _mm256_sqrt_ps(x); }
INLINE vec nearest(vec x) { return _mm256_round_ps(x, 0); }
#elif defined(__aarch64__)
INLINE vec maximum(vec x, vec y) { return blend(x > y, x, y); }
INLINE vec minimum(vec x, vec y) { return blend(x < y, x, y); }
INLINE vec square_root(vec x) { return (vec)vsqrtq_f32((float32x4_t)x); }
INLINE vec nearest(vec x) { return (vec)vrndnq_f32((float32x4_t)x); }
#else
INLINE vec maximum(vec x, vec y) { return blend(x > y, x, y); }
INLINE vec minimum(vec x, vec y) { return blend(x < y, x, y); }
INLINE vec square_root(vec x) {
    return (vec){sqrtf(x[0]), sqrtf(x[1]), sqrtf(x[2]), sqrtf(x[3])};
}
INLINE vec nearest(vec x) {
    const vec large = splat(0x1.8p23f); /* floats of this size have no fraction */
    return blend((x < 0x1p22f) & (x > -0x1p22f), (x + large) - large, x);
}
#endif

#if defined(__clang__)
#define shuffle(x, y, ...) __builtin_shufflevector(x, y, __VA_ARGS__)
#define UNROLL _Pragma("clang loop unroll(full)") /* GCC's would leave short loops */
#else
#define shuffle(x, y, ...) __builtin_shuffle(x, y, (ints4){__VA_ARGS__})
#define UNROLL _Pragma("GCC unroll 8")
#endif

/* y (n_columns, y_stride) = transpose of x (n_rows, x_stride), by squares of 4 x 4; both sizes
   are rounded up to 4. */
static void transpose(const float *x, int64_t x_stride, int64_t n_rows, int64_t n_columns,
                      float *y, int64_t y_stride) {
    for (int64_t column = 0; column < n_columns; column += 4)
        for (int64_t row = 0; row < n_rows; row += 4) {
            const float *from = x + row * x_stride + column;
            float *to = y + column * y_stride + row;
            vec4 a = load_vec4(from), b = load_vec4(from + x_stride);
            vec4 c = load_vec4(from + 2 * x_stride), d = load_vec4(from + 3 * x_stride);
            vec4 ab_low = shuffle(a, b, 0, 4, 1, 5), ab_high = shuffle(a, b, 2, 6, 3, 7);
            vec4 cd_low = shuffle(c, d, 0, 4, 1, 5), cd_high = shuffle(c, d, 2, 6, 3, 7);
            store_vec4(to, shuffle(ab_low, cd_low, 0, 1, 4, 5));
            store_vec4(to + y_stride, shuffle(ab_low, cd_low, 2, 3, 6, 7));
            store_vec4(to + 2 * y_stride, shuffle(ab_high, cd_high, 0, 1, 4, 5));
            store_vec4(to + 3 * y_stride, shuffle(ab_high, cd_high, 2, 3, 6, 7));
        }
}

/* Sums over the lanes of each of four vectors. First the quarters of each vector are added,
   then two rounds of shuffles add even and odd lanes of two vectors at once. */
INLINE vec4 sum_lanes(const vec x[4]) {
    vec4 part[4];
    for (int k = 0; k < 4; k++) {
        union { vec whole; vec4 parts[LANES / 4]; } lanes = {x[k]};
        part[k] = lanes.parts[0];
        for (int i = 1; i < LANES / 4; i++) part[k] += lanes.parts[i];
    }
    vec4 ab = shuffle(part[0], part[1], 0, 4, 1, 5) + shuffle(part[0], part[1], 2, 6, 3, 7);
    vec4 cd = shuffle(part[2], part[3], 0, 4, 1, 5) + shuffle(part[2], part[3], 2, 6, 3, 7);
    return shuffle(ab, cd, 0, 1, 4, 5) + shuffle(ab, cd, 2, 3, 6, 7);
}

/* ---- Functions, by minimax polynomials: the largest error in the interval is the least. */

/* Horner's scheme, c[0] x^(n-1) + ... + c[n-1], unrolled as n is constant. */
INLINE vec horner(vec x, int n, const float *c) {
    vec y = c[0] * x + c[1];
    UNROLL
    for (int i = 2; i < n; i++) y = y * x + c[i];
    return y;
}
#define polynomial(x, ...)                                                                     \
    horner(x, sizeof((float[]){__VA_ARGS__}) / sizeof(float), (const float[]){__VA_ARGS__})

#if defined(__wasm__)
#define LOWEST -40 /* keeps results far from subnormal, as `flush_to_zero` does nothing there */
#else
#define LOWEST -87
#endif

/* exp(x) = 2^n exp(f), n an integer and f = x - n log 2 in [-log 2 / 2, log 2 / 2]: exp(f) is a
   polynomial, and n is added to the exponent bits of the result. */
INLINE vec exponential(vec x) {
    x = minimum(splat(88), maximum(splat(LOWEST), x)); /* in this order, NaN remains */
    vec n = nearest(x * 1.44269504f);
    vec f =
        (x - n * 0.693359375f) + n * 2.12194440e-4f; /* log 2 in two parts, the first exact */
    vec y = polynomial(f, 1.38368458e-3f, 8.37481581e-3f, 4.16682251e-2f, 1.66664198e-1f,
                       4.99999911e-1f, 1, 1);
    return (vec)((ints)y + (__builtin_convertvector(n, ints) << 23));
}

/* log(x) = n log 2 + log(1 + f) with 1 + f in [sqrt(1/2), sqrt(2)], for normal x > 0. Exponent
   and mantissa are read off the bits of x. */
INLINE vec logarithm(vec x) {
    ints exponent = ((ints)x - 0x3f3504f3) >> 23; /* 0x3f3504f3 is sqrt(1/2) */
    vec n = __builtin_convertvector(exponent, vec);
    vec f = (vec)((ints)x - (exponent << 23)) - 1.0f;
    vec y = polynomial(f, -7.85961673e-2f, 1.28816500e-1f, -1.31287545e-1f, 1.41811922e-1f,
                       -1.66245535e-1f, 2.00022861e-1f, -2.50008106e-1f, 3.33333164e-1f);
    return n * 0.69314718f + (f - f * f * (0.5f - f * y));
}

typedef struct { vec cosine, sine; } CosineAndSine;

/* cos(2 pi x) and sin(2 pi x). x minus the nearest integer is in [-1/2, 1/2]; with
   u = 1/4 - |x| in [-1/4, 1/4], cos(2 pi x) = sin(2 pi u), and sin(2 pi x) = cos(2 pi u) with
   the sign of x. */
INLINE CosineAndSine cosine_and_sine(vec x) {
    const ints sign = (ints)splat(-0.0f);
    x -= nearest(x);
    vec u = 0.25f - (vec)((ints)x & ~sign), square = u * u;
    vec sine = u * polynomial(square, 39.5388680f, -76.5501099f, 81.6010208f, -41.3416557f,
                              6.28318501f);
    vec cosine = polynomial(square, -24.9822369f, 60.1440163f, -85.4535751f, 64.9393463f,
                            -19.7392082f, 1);
    return (CosineAndSine){sine, (vec)((ints)cosine ^ ((ints)x & sign))};
}

/* ---- Structures that the caller fills in; core/structures.py has the same fields. */

typedef struct { /* y = dropout(f(z)) with z = x W + b */
    int64_t fan_in, fan_out;
    int64_t x_stride, y_stride, weight_stride; /* from one row to the next */
    int64_t activation;
    float constant;             /* slope of leaky_relu, alpha of elu */
    float dropout_scale;        /* factor on units that dropout keeps; 1 for no dropout */
    uint32_t dropout_threshold; /* 16-bit draws below it drop a unit */
    float slope_rate_factor;    /* factor on the learning rate of slopes */
    int64_t is_slope_shared;    /* 1 if all units have the same slope */
    /* from one network of a stack to the next */
    int64_t weight_member_stride, bias_member_stride, slope_member_stride;
    float *weight;     /* (fan_in, weight_stride) */
    float *bias;       /* (y_stride) */
    float *slope;      /* (y_stride), of prelu */
    float *transposed; /* (fan_out, x_stride): W^T; NULL if no layer below is trained */
    float *x;          /* (n_rows, x_stride): y of the layer below */
    float *y;          /* (n_rows, y_stride) */
    float *derivative; /* (n_rows, y_stride): dy / dz; NULL outside training */
    float *slope_grad; /* (n_rows, y_stride): dy / dslope, then dloss / dslope of each row */
    float *grad;       /* (n_rows, y_stride): dloss / dz */
} Layer;

enum { N_FREQUENCIES = 16, N_OUTPUTS = 3, EMBEDDING_SIZE = (2 + N_OUTPUTS) * N_FREQUENCIES };

typedef struct {
    int64_t n_inputs, n_numbers; /* the first n_numbers inputs are embedded */
    int64_t x_stride, y_stride;
    /* (n_numbers, 2 + N_OUTPUTS, N_FREQUENCIES): frequencies, phases, then projection */
    float *parameters;
    float *x;             /* (n_rows, x_stride) */
    float *y;             /* (n_rows, y_stride): x, then N_OUTPUTS curves per number */
    float *grad;          /* (n_rows, y_stride) */
    float *cosine, *sine; /* (n_numbers, n_rows, N_FREQUENCIES); NULL outside training */
    int64_t n_rows;
    int64_t member_stride; /* to the next network of a stack */
} Embedding;

typedef struct {
    int64_t n_inputs, n_classes, n_layers, x_stride;
    float *x; /* (n_rows, x_stride) */
    Layer *layers;
    Embedding *embedding; /* NULL for none */
    float *class_major;   /* (n_classes rounded up to 4, n_rows): logits, then their gradient */
    int64_t n_rows;
    float *losses; /* (n_rows) */
} Network;

typedef struct {
    const float *x; /* element (row, column) is at row * row_stride + column * column_stride */
    int64_t row_stride, column_stride;
    const int64_t *indices;     /* row of x of each sample; NULL for row = sample */
    const int64_t *y_encoded;   /* class index of each sample */
    const float *sample_weight; /* NULL for 1 */
} Samples;

enum { ADAM, SGD };

typedef struct { /* the state vectors are laid out as the parameters are */
    int64_t kind;
    int64_t state_stride; /* from a parameter to its first state, and from that to its second */
    int64_t t;            /* steps so far */
    double beta_1, beta_2, epsilon, momentum;
    int64_t is_nesterov;
    double l2, weight_decay;
} Optimizer;

typedef struct {          /* an epoch, from first_batch on */
    const int64_t *order; /* samples in the order of this epoch */
    int64_t n_samples, batch_size, first_batch;
    double seconds; /* after which no further batch is started */
    uint64_t seed;  /* of dropout */
    double label_smoothing;
    const double *learning_rates; /* learning rate of each batch */
    double *losses;               /* loss of each batch */
} Epoch;

typedef struct { /* threads that share the work on each batch, see `synchronize` */
    int32_t n_threads;
    _Atomic int32_t n_waiting, generation, is_aborted;
    int32_t should_stop;
} Team;

/* ---- Matrix products. There are three per layer, and all time goes into them:

           forward   z = x W + b                  rows of x by panels of W
           backward  dloss/dx = grad W^T          rows of grad by panels of W^T
           update    dloss/dW = x^T grad          columns of x by panels of grad

   Each is a loop over tiles of ROWS rows by one panel (up to PANEL vectors of columns). A sum
   runs over its terms in their order, whatever the tile is, so that neither the position of a
   row in a batch nor the number of threads changes a digit. */

/* sums[i][j] += sum_k a[i, k] * b[k, j], for ROWS rows i and n_vectors vectors of columns j.
   Element (i, k) of a is at i * a_row + k * a_term, so that a may be read transposed. The loops
   are unrolled, and all sums stay in registers: for each k, n_vectors loads and ROWS broadcasts
   serve ROWS * n_vectors multiply-adds. */
INLINE void multiply_tile(const float *a, int64_t a_row, int64_t a_term, const float *b,
                          int64_t b_term, int64_t n_terms, int n_vectors,
                          vec sums[ROWS][PANEL]) {
    for (int64_t k = 0; k < n_terms; k++, a += a_term, b += b_term) {
        vec term[PANEL];
        UNROLL
        for (int j = 0; j < n_vectors; j++) term[j] = load(b + j * LANES);
        UNROLL
        for (int i = 0; i < ROWS; i++)
            UNROLL
            for (int j = 0; j < n_vectors; j++) sums[i][j] += a[i * a_row] * term[j];
    }
}

/* Number of vectors in the next panel, if n_columns are left: about the same for all panels
   (4 vectors as 2 + 2, and not as 3 + 1, which would leave most of the registers idle). */
INLINE int64_t choose_panel(int64_t n_columns) {
    int64_t n_vectors = (n_columns + LANES - 1) / LANES;
    int64_t n_panels = (n_vectors + PANEL - 1) / PANEL;
    return (n_vectors + n_panels - 1) / n_panels;
}

/* Call tiles(column, n_vectors, ...) for each panel. As n_vectors is a constant in each call,
   the compiler makes a version of `tiles` for each width. */
#define FOR_EACH_PANEL(first_column, end, tiles, ...)                                          \
    for (int64_t column = (first_column), n_vectors; column < (end);                           \
         column += n_vectors * LANES) {                                                        \
        n_vectors = choose_panel((end) - column);                                              \
        if (n_vectors == 1) tiles(column, 1, __VA_ARGS__);                                     \
        if (n_vectors == 2) tiles(column, 2, __VA_ARGS__);                                     \
        if (n_vectors == 3) tiles(column, 3, __VA_ARGS__);                                     \
    }

/* z = x W + b, of rows first to last. The sums start from the bias. */
INLINE void forward_tiles(int64_t column, int n_vectors, const Layer *layer, int64_t member,
                          int64_t first, int64_t last) {
    const float *weight = layer->weight + member * layer->weight_member_stride + column;
    const float *bias = layer->bias + member * layer->bias_member_stride + column;
    for (int64_t row = first; row < last; row += ROWS) {
        vec sums[ROWS][PANEL];
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < n_vectors; j++) sums[i][j] = load(bias + j * LANES);
        multiply_tile(layer->x + row * layer->x_stride, layer->x_stride, 1, weight,
                      layer->weight_stride, layer->fan_in, n_vectors, sums);
        float *y = layer->y + row * layer->y_stride + column;
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < n_vectors; j++)
                store(y + i * layer->y_stride + j * LANES, sums[i][j]);
    }
}

static void multiply_forward(const Layer *layer, int64_t member, int64_t first, int64_t last) {
    FOR_EACH_PANEL(0, layer->fan_out, forward_tiles, layer, member, first, last)
}

/* dloss / dx = grad W^T, of rows first to last, times dy / dz of the layer below, if given. */
INLINE void backward_tiles(int64_t column, int n_vectors, const Layer *layer, float *below,
                           const float *derivative, int64_t first, int64_t last) {
    const int64_t width = layer->x_stride;
    for (int64_t row = first; row < last; row += ROWS) {
        vec sums[ROWS][PANEL] = {{{0}}};
        multiply_tile(layer->grad + row * layer->y_stride, layer->y_stride, 1,
                      layer->transposed + column, width, layer->fan_out, n_vectors, sums);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < n_vectors; j++) {
                int64_t offset = (row + i) * width + column + j * LANES;
                if (derivative) sums[i][j] *= load(derivative + offset);
                store(below + offset, sums[i][j]);
            }
    }
}

static void multiply_backward(const Layer *layer, float *below, const float *derivative,
                              int64_t first_column, int64_t first, int64_t last) {
    FOR_EACH_PANEL(first_column, layer->fan_in, backward_tiles, layer, below, derivative, first,
                   last)
}

/* ---- Optimizers: a gradient is used for its step as soon as it is known. */

typedef struct { /* the constants of one step, for one array of parameters */
    int64_t kind, state_stride, is_nesterov;
    float beta_1, beta_2, epsilon, momentum;
    float rate;  /* learning rate with all factors */
    float l2;    /* strength of the penalty; 0 for biases */
    float decay; /* 1 - learning rate * weight decay; 1 for biases */
} Step;

/* Update a vector of parameters and its state, as SGD.update and Adam.update do. */
INLINE void apply_update(float *parameter, vec gradient, const Step *step) {
    vec p = load(parameter);
    float *state = parameter + step->state_stride;
    gradient += step->l2 * p;
    vec update;
    if (step->kind == ADAM) {
        vec m = step->beta_1 * load(state) + gradient;
        vec v = step->beta_2 * load(state + step->state_stride) + gradient * gradient;
        store(state, m);
        store(state + step->state_stride, v);
        update = m / (square_root(v) + step->epsilon);
    } else {
        vec velocity = step->momentum * load(state) + gradient;
        store(state, velocity);
        update = step->is_nesterov ? gradient + step->momentum * velocity : velocity;
    }
    store(parameter, step->decay * p - step->rate * update);
}

/* Constants of step t. Adam's moments are kept without the factors 1 - beta, which are made up
   for in the learning rate and in epsilon, as is the bias correction. */
static Step make_step(const Optimizer *optimizer, int64_t t, double learning_rate) {
    double rate = learning_rate, root = sqrt(1 - optimizer->beta_2);
    if (optimizer->kind == ADAM)
        rate *= sqrt(1 - pow(optimizer->beta_2, t)) / (1 - pow(optimizer->beta_1, t)) *
                (1 - optimizer->beta_1) / root;
    return (Step){
        .kind = optimizer->kind,
        .state_stride = optimizer->state_stride,
        .is_nesterov = optimizer->is_nesterov,
        .beta_1 = (float)optimizer->beta_1,
        .beta_2 = (float)optimizer->beta_2,
        .epsilon = (float)(optimizer->epsilon / root),
        .momentum = (float)optimizer->momentum,
        .rate = (float)rate,
        .l2 = (float)optimizer->l2,
        .decay = (float)(1 - learning_rate * optimizer->weight_decay),
    };
}

/* The same step for parameters without regularization, its learning rate times a factor. */
INLINE Step without_decay(Step step, float factor) {
    step.rate *= factor;
    step.l2 = 0;
    step.decay = 1;
    return step;
}

/* Update rows first to last of W by the gradient x^T grad, summed over the rows of the batch:
   x is read transposed, one column of it per row of W. */
INLINE void weight_tiles(int64_t column, int n_vectors, const Layer *layer, int64_t n_rows,
                         int64_t first, int64_t last, const Step *step) {
    for (int64_t row = first; row < last; row += ROWS) {
        vec sums[ROWS][PANEL] = {{{0}}};
        multiply_tile(layer->x + row, 1, layer->x_stride, layer->grad + column, layer->y_stride,
                      n_rows, n_vectors, sums);
        float *weight = layer->weight + row * layer->weight_stride + column;
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < n_vectors; j++)
                apply_update(weight + i * layer->weight_stride + j * LANES, sums[i][j], step);
    }
}

static void update_weight(const Layer *layer, int64_t n_rows, int64_t first, int64_t last,
                          const Step *step) {
    FOR_EACH_PANEL(0, layer->fan_out, weight_tiles, layer, n_rows, first, last, step)
    if (layer->transposed)
        transpose(layer->weight + first * layer->weight_stride, layer->weight_stride,
                  last - first, layer->fan_out, layer->transposed + first, layer->x_stride);
}

/* Update a vector with one number per unit (biases, slopes) by the sum over the rows of by_row
   (n_rows, width); if the number is shared, all units get the sum over the units. */
static void update_vector(float *vector, const float *by_row, int64_t n_rows, int64_t n_units,
                          int64_t width, int64_t is_shared, const Step *step) {
    float total = 0;
    for (int64_t column = 0; column < n_units; column += LANES) {
        vec sum = {0};
        for (int64_t row = 0; row < n_rows; row++) sum += load(by_row + row * width + column);
        if (!is_shared) apply_update(vector + column, sum, step);
        for (int64_t lane = 0; lane < LANES && column + lane < n_units; lane++)
            total += sum[lane];
    }
    for (int64_t column = 0; is_shared && column < n_units; column += LANES)
        apply_update(vector + column, splat(total), step);
}

/* ---- Activations: y = f(z) and dy / dz of a vector of units. */

typedef struct { vec value, derivative; } ValueAndDerivative;
typedef ValueAndDerivative Activation(vec z, vec slope, float constant);
#define ACTIVATION(name) INLINE ValueAndDerivative name(vec z, vec slope, float constant)

ACTIVATION(identity) { return (ValueAndDerivative){z, splat(1)}; }
ACTIVATION(relu) {
    vec value = maximum(splat(0), z);
    return (ValueAndDerivative){value, blend(value > 0, splat(1), splat(0))};
}
ACTIVATION(prelu) {
    vec derivative = blend(z > 0, splat(1), slope);
    return (ValueAndDerivative){z * derivative, derivative};
}
ACTIVATION(leaky_relu) { return prelu(z, splat(constant), constant); }
ACTIVATION(sigmoid) {
    vec value = 1 / (1 + exponential(-z));
    return (ValueAndDerivative){value, value - value * value};
}

/* 1 - 2 / (exp(2 z) + 1), and near 0, where that cancels, z plus a polynomial. */
ACTIVATION(hyperbolic_tangent) {
    vec square = z * z;
    vec y = polynomial(square, -5.70498873e-3f, 2.06390888e-2f, -5.37397156e-2f, 1.33314422e-1f,
                       -3.33332819e-1f); /* of tanhf in Moshier's Cephes */
    vec farther = 1 - 2 / (exponential(2 * z) + 1);
    vec value = blend(square < 0.390625f, z + z * square * y, farther);
    return (ValueAndDerivative){value, 1 - value * value};
}
ACTIVATION(silu) {
    vec s = 1 / (1 + exponential(-z));
    return (ValueAndDerivative){z * s, s * (1 + z * (1 - s))};
}
ACTIVATION(elu) {
    vec e = constant * exponential(minimum(splat(0), z));
    return (ValueAndDerivative){blend(z > 0, z, e - constant), blend(z > 0, splat(1), e)};
}
ACTIVATION(selu) {
    ValueAndDerivative point = elu(z, slope, 1.67326324235438f);
    return (ValueAndDerivative){1.05070098735548f * point.value,
                                1.05070098735548f * point.derivative};
}

/* z Phi(z), with 1 - Phi(|z|) = exp(-z^2 / 2) times a polynomial to 7.5e-8 (Abramowitz and
   Stegun, 1964, 26.2.17). */
ACTIVATION(gelu) {
    vec size = maximum(z, -z);
    vec t = 1 / (1 + 0.2316419f * size);
    vec density = 0.3989422804f * exponential(-0.5f * z * z);
    vec tail =
        density * t *
        polynomial(t, 1.330274429f, -1.821255978f, 1.781477937f, -0.356563782f, 0.319381530f);
    vec share = blend(z > 0, 1 - tail, tail);
    return (ValueAndDerivative){z * share, share + z * density};
}

/* log(1 + exp(z)) = max(0, z) + log(1 + exp(-|z|)), which can't overflow. */
ACTIVATION(softplus) {
    vec e = exponential(-maximum(z, -z)), larger = 1 / (1 + e);
    return (ValueAndDerivative){maximum(splat(0), z) + logarithm(1 + e),
                                blend(z > 0, larger, e * larger)};
}

/* Random bits of dropout: a hash of a counter (Wellons and Wang's "lowbias32"). Unlike a stream
   of random numbers, it lets each thread draw for its own rows. */
INLINE uints hash_counter(uints x) {
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
}

static const int32_t LANE_INDICES[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* y = f(z), in place of z, and the derivative, with dropout applied to both. `activation` is
   inlined: there is a version of this function for each. */
INLINE void apply_activation(const Layer *layer, int64_t member, int64_t first, int64_t last,
                             uint32_t key, Activation *activation) {
    uints lanes;
    memcpy(&lanes, LANE_INDICES, sizeof lanes);
    const int has_dropout = layer->derivative && layer->dropout_threshold;
    const float *slopes =
        layer->slope ? layer->slope + member * layer->slope_member_stride : NULL;
    for (int64_t row = first; row < last; row++)
        for (int64_t column = 0; column < layer->fan_out; column += LANES) {
            const int64_t offset = row * layer->y_stride + column;
            vec z = load(layer->y + offset);
            vec slope = slopes ? load(slopes + column) : z;
            vec factor = splat(1);
            ValueAndDerivative point = activation(z, slope, layer->constant);
            if (has_dropout) {
                uint32_t counter = (uint32_t)(row * layer->fan_out + column);
                ints keep =
                    (hash_counter((lanes + counter) ^ key) >> 16) >= layer->dropout_threshold;
                factor = (vec)(keep & (ints)splat(layer->dropout_scale));
                point.value *= factor;
                point.derivative *= factor;
            }
            store(layer->y + offset, point.value);
            if (layer->derivative) store(layer->derivative + offset, point.derivative);
            if (layer->slope_grad)
                store(layer->slope_grad + offset, minimum(z, splat(0)) * factor);
        }
}

/* All activations, in the order of their numbers in core/layout.py. */
#define EACH_ACTIVATION(take)                                                                  \
    take(identity) take(relu) take(leaky_relu) take(prelu) take(sigmoid)                       \
    take(hyperbolic_tangent) take(silu) take(elu) take(selu) take(gelu) take(softplus)
#define NUMBER(name) activation_##name,
enum { EACH_ACTIVATION(NUMBER) };

static void activate(const Layer *layer, int64_t member, int64_t first, int64_t last,
                     uint32_t key) {
#define CASE(name)                                                                             \
    case activation_##name: apply_activation(layer, member, first, last, key, name); break;
    switch (layer->activation) { EACH_ACTIVATION(CASE) }
}

/* ---- The periodic embedding: cos(frequency x + phase) . projection, N_OUTPUTS curves per
   number. The N_FREQUENCIES of a number fill one vector, or two or four shorter ones. */

enum { VECTORS_PER_NUMBER = N_FREQUENCIES / LANES }; /* vectors of frequencies per number */
#define PER_TURN 0.15915494309189535f                /* 1 / (2 pi) */

/* y = x, then the curves, of rows first to last. A number writes 4 values, its curves and a 0,
   which the next number's curves overwrite, or which ends in the padding. */
static void embed(const Embedding *embedding, int64_t member, int64_t first, int64_t last) {
    const int64_t width = embedding->y_stride;
    for (int64_t row = first; row < last; row++)
        memcpy(embedding->y + row * width, embedding->x + row * embedding->x_stride,
               embedding->n_inputs * sizeof(float));
    for (int64_t number = 0; number < embedding->n_numbers; number++) {
        const float *from =
            embedding->parameters + member * embedding->member_stride + number * EMBEDDING_SIZE;
        /* frequencies and phases in turns, as `cosine_and_sine` takes them, then projection */
        vec weights[2 + N_OUTPUTS][VECTORS_PER_NUMBER];
        for (int k = 0; k < 2 + N_OUTPUTS; k++)
            for (int i = 0; i < VECTORS_PER_NUMBER; i++)
                weights[k][i] =
                    load(from + k * N_FREQUENCIES + i * LANES) * (k < 2 ? PER_TURN : 1);
        const float *x = embedding->x + number;
        float *curves = embedding->y + embedding->n_inputs + number * N_OUTPUTS;
        for (int64_t row = first; row < last; row++) {
            vec part[4] = {{0}}; /* lanes of the curves, still to be summed; the 4th is 0 */
            int64_t offset = (number * embedding->n_rows + row) * N_FREQUENCIES;
            for (int i = 0; i < VECTORS_PER_NUMBER; i++, offset += LANES) {
                CosineAndSine angle = cosine_and_sine(
                    weights[0][i] * x[row * embedding->x_stride] + weights[1][i]);
                for (int k = 0; k < N_OUTPUTS; k++) part[k] += weights[2 + k][i] * angle.cosine;
                if (!embedding->cosine) continue; /* not in training */
                store(embedding->cosine + offset, angle.cosine);
                store(embedding->sine + offset, angle.sine);
            }
            store_vec4(curves + row * width, sum_lanes(part));
        }
    }
}

/* Update the parameters of numbers first to last by the gradients of all rows. With grad the
   gradient of the curves and t = projection . grad, these are
       projection: cos(angle) grad    phase: -sin(angle) t    frequency: -sin(angle) t x. */
static void update_embedding(const Embedding *embedding, int64_t n_rows, int64_t first,
                             int64_t last, const Step *step) {
    for (int64_t number = first; number < last; number++) {
        float *weights = embedding->parameters + number * EMBEDDING_SIZE;
        for (int i = 0; i < VECTORS_PER_NUMBER; i++) {
            float *lane = weights + i * LANES;
            vec projection[N_OUTPUTS], gradient[2 + N_OUTPUTS] = {{0}};
            for (int k = 0; k < N_OUTPUTS; k++)
                projection[k] = load(lane + (2 + k) * N_FREQUENCIES);
            const float *x = embedding->x + number;
            const float *grad = embedding->grad + embedding->n_inputs + number * N_OUTPUTS;
            int64_t offset = number * embedding->n_rows * N_FREQUENCIES + i * LANES;
            for (int64_t row = 0; row < n_rows; row++) {
                vec cosine = load(embedding->cosine + offset + row * N_FREQUENCIES);
                vec sine = load(embedding->sine + offset + row * N_FREQUENCIES);
                vec t = {0};
                for (int k = 0; k < N_OUTPUTS; k++) {
                    t += projection[k] * grad[k];
                    gradient[2 + k] += cosine * grad[k];
                }
                t *= sine;
                gradient[0] -= t * *x;
                gradient[1] -= t;
                x += embedding->x_stride, grad += embedding->y_stride;
            }
            for (int k = 0; k < 2 + N_OUTPUTS; k++)
                apply_update(lane + k * N_FREQUENCIES, gradient[k], step);
        }
    }
}

/* ---- The loss. */

typedef struct { /* samples of one batch */
    const Samples *samples;
    const int64_t *numbers; /* of the samples; NULL for start, start + 1, ... */
    int64_t start, n_rows;
} Batch;

INLINE int64_t get_sample(const Batch *batch, int64_t row) {
    return batch->numbers ? batch->numbers[row] : batch->start + row;
}

/* Softmax and cross-entropy of rows first to last: losses, and the gradient of the logits,
   weight (p - t) / n_rows, where the target t is 1 - s + s / n_classes for a row's own class
   and s / n_classes for the others. The logits are transposed, so that a vector holds LANES
   rows of one class, and no sums across lanes are needed. */
static void compute_loss(const Network *network, const Batch *batch, float smoothing,
                         int64_t first, int64_t last) {
    const Layer *top = network->layers + network->n_layers - 1;
    const int64_t n_classes = network->n_classes, class_stride = network->n_rows;
    transpose(top->y + first * top->y_stride, top->y_stride, last - first, n_classes,
              network->class_major + first, class_stride);
    for (int64_t row = first; row < last; row += LANES) {
        /* 1. the logit of each row's own class, and the sample weights; 0 for padding */
        float *own[LANES]; /* where they are in class_major */
        vec own_logit = {0}, weight = {0}, sum = {0}, total = {0};
        for (int64_t lane = 0; lane < LANES; lane++) {
            int64_t label = 0;
            if (row + lane < batch->n_rows) {
                int64_t sample = get_sample(batch, row + lane);
                label = batch->samples->y_encoded[sample];
                weight[lane] =
                    batch->samples->sample_weight ? batch->samples->sample_weight[sample] : 1;
            }
            own[lane] = network->class_major + label * class_stride + row + lane;
            own_logit[lane] = *own[lane];
        }
        /* 2. exp(z - largest), its sum over the classes, and the sum of the logits */
        float *class_major = network->class_major + row;
        vec largest = load(class_major);
        for (int64_t k = 1; k < n_classes; k++)
            largest = maximum(largest, load(class_major + k * class_stride));
        for (int64_t k = 0; k < n_classes; k++) {
            vec logit = load(class_major + k * class_stride) - largest;
            sum += logit;
            vec p = exponential(logit);
            total += p;
            store(class_major + k * class_stride, p);
        }
        /* 3. -sum_k t_k log p_k */
        vec loss = logarithm(total) - (1 - smoothing) * (own_logit - largest);
        store(network->losses + row, weight * (loss - smoothing / (float)n_classes * sum));
        /* 4. weight (p - t) / n_rows, in place of the exponentials */
        vec row_weight = weight / (float)batch->n_rows;
        for (int64_t k = 0; k < n_classes; k++) {
            vec p = load(class_major + k * class_stride) * (row_weight / total);
            p -= (smoothing / (float)n_classes) * row_weight;
            store(class_major + k * class_stride, p);
        }
        for (int lane = 0; lane < LANES; lane++)
            *own[lane] -= (1 - smoothing) * row_weight[lane];
    }
    transpose(network->class_major + first, class_stride, n_classes, last - first,
              top->grad + first * top->y_stride, top->y_stride);
}

/* ---- Forward and backward pass of some rows. */

/* Copy the rows of the samples to network->x. */
static void gather(const Network *network, const Batch *batch, int64_t first, int64_t last) {
    const Samples *samples = batch->samples;
    for (int64_t row = first; row < last; row++) {
        int64_t sample = get_sample(batch, row);
        const float *from =
            samples->x +
            (samples->indices ? samples->indices[sample] : sample) * samples->row_stride;
        float *to = network->x + row * network->x_stride;
        for (int64_t column = 0; column < network->n_inputs; column++)
            to[column] = from[column * samples->column_stride];
    }
}

/* Key of the draws of one layer in one batch: a hash of both with the seed of the epoch (Steele
   et al., 2014: "SplitMix64"). */
static uint32_t make_dropout_key(const Epoch *epoch, int64_t batch, int64_t n_layers,
                                 int64_t layer) {
    uint64_t x = epoch->seed + (uint64_t)(batch * n_layers + layer + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return (uint32_t)((x ^ (x >> 31)) >> 32);
}

/* Logits of rows first to last, by one network of a stack; without `epoch`, no dropout. */
static void forward(const Network *network, const Epoch *epoch, int64_t batch, int64_t member,
                    int64_t first, int64_t last) {
    if (network->embedding) embed(network->embedding, member, first, last);
    for (int64_t i = 0; i < network->n_layers; i++) {
        const Layer *layer = network->layers + i;
        multiply_forward(layer, member, first, last);
        if (layer->activation != activation_identity || layer->derivative)
            activate(layer, member, first, last,
                     epoch ? make_dropout_key(epoch, batch, network->n_layers, i) : 0);
    }
}

/* Propagate the gradient of the logits to dloss / dz of each layer, for rows first to last. */
static void backward(const Network *network, int64_t first, int64_t last) {
    for (int64_t i = network->n_layers - 1; i > 0; i--) {
        const Layer *below = network->layers + i - 1;
        multiply_backward(network->layers + i, below->grad,
                          below->slope_grad ? NULL : below->derivative, 0, first, last);
        if (!below->slope_grad) continue;
        /* with slopes, dloss / dy was needed by itself: times dy / dslope, then dy / dz */
        for (int64_t k = first * below->y_stride; k < last * below->y_stride; k += LANES) {
            vec grad = load(below->grad + k);
            store(below->slope_grad + k, load(below->slope_grad + k) * grad);
            store(below->grad + k, load(below->derivative + k) * grad);
        }
    }
    const Embedding *embedding = network->embedding;
    if (embedding)
        multiply_backward(network->layers, embedding->grad, NULL,
                          embedding->n_inputs / PADDING * PADDING, first, last);
}

/* First of the items that a thread works on, of n items in units of `unit`. */
INLINE int64_t split_work(int64_t n, int64_t unit, const Team *team, int64_t thread) {
    return (n + unit - 1) / unit * thread / team->n_threads * unit;
}

/* Update this thread's share of the parameters: rows of each weight matrix, and the vectors of
   every n-th layer. Gradients are those of all rows, so all threads must have arrived. */
static void update_parameters(const Network *network, int64_t n_rows, const Step *step,
                              const Team *team, int64_t thread) {
    Step vector_step = without_decay(*step, 1);
    for (int64_t i = 0; i < network->n_layers; i++) {
        const Layer *layer = network->layers + i;
        update_weight(layer, n_rows, split_work(layer->fan_in, ROWS, team, thread),
                      split_work(layer->fan_in, ROWS, team, thread + 1), step);
        if (i % team->n_threads != thread) continue;
        update_vector(layer->bias, layer->grad, n_rows, layer->fan_out, layer->y_stride, 0,
                      &vector_step);
        if (!layer->slope_grad) continue;
        Step slope_step = without_decay(*step, layer->slope_rate_factor);
        update_vector(layer->slope, layer->slope_grad, n_rows, layer->fan_out, layer->y_stride,
                      layer->is_slope_shared, &slope_step);
    }
    const Embedding *embedding = network->embedding;
    if (embedding)
        update_embedding(embedding, n_rows, split_work(embedding->n_numbers, 1, team, thread),
                         split_work(embedding->n_numbers, 1, team, thread + 1), &vector_step);
}

/* ---- Threads and the clock. */

/* Barrier: wait until all threads of the team are here. The last one to arrive starts a new
   generation, for which the others spin, and after a while sleep, as another thread may have no
   processor. Returns 0 if the team was aborted: a thread may never have been started. */
static int synchronize(Team *team) {
    if (team->n_threads == 1) return 1;
    int32_t meeting = atomic_load(&team->generation);
    if (atomic_fetch_add(&team->n_waiting, 1) == team->n_threads - 1) {
        atomic_store(&team->n_waiting, 0);
        atomic_store(&team->generation, meeting + 1);
        return 1;
    }
    for (int tries = 0; atomic_load(&team->generation) == meeting; tries++) {
        /* a thread that has left the completed barrier already may have aborted since */
        if (atomic_load(&team->is_aborted)) return atomic_load(&team->generation) != meeting;
        if (tries > 50000) yield_processor();
    }
    return 1;
}

/* Seconds. */
static double now(void) {
    struct timespec time;
    timespec_get(&time, TIME_UTC);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

/* Let the processor treat subnormal numbers as 0: they take it a hundred times as long and
   change nothing. Returns the thread's mode, to be restored. */
static uint64_t flush_to_zero(void) {
    uint64_t mode = 0;
#if defined(__SSE2__)
    mode = _mm_getcsr();
    _mm_setcsr((uint32_t)mode | 0x8040);
#elif defined(__aarch64__)
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(mode | (1u << 24)));
#endif
    return mode;
}

static void restore_float_mode(uint64_t mode) {
#if defined(__SSE2__)
    _mm_setcsr((uint32_t)mode);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#endif
}

/* ---- Functions that Python calls. */

/* Fill the transposed weights, before the first step. */
EXPORT void prepare(const Network *network) {
    const Layer *end = network->layers + network->n_layers;
    for (const Layer *layer = network->layers; layer < end; layer++)
        if (layer->transposed)
            transpose(layer->weight, layer->weight_stride, layer->fan_in, layer->fan_out,
                      layer->transposed, layer->x_stride);
}

/* Train from `first_batch` on, until the epoch or the time is over; each thread of the team
   calls it with its number. Returns the number of the next batch. If the team is aborted, it
   returns early, and a step may have updated only some of the parameters. */
EXPORT int64_t train(const Network *network, const Samples *samples, const Optimizer *optimizer,
                     const Epoch *epoch, Team *team, int64_t thread) {
    const uint64_t mode = flush_to_zero();
    const double begin = now();
    int64_t index = epoch->first_batch;
    for (int should_stop = atomic_load(&team->is_aborted); !should_stop; index++) {
        const int64_t start = index * epoch->batch_size, left = epoch->n_samples - start;
        const Batch batch = {samples, epoch->order + start, start,
                             left < epoch->batch_size ? left : epoch->batch_size};
        /* this thread's rows, through the network and back */
        int64_t end = split_work(batch.n_rows, PADDING, team, thread + 1);
        if (end > batch.n_rows) end = batch.n_rows;
        for (int64_t row = split_work(batch.n_rows, PADDING, team, thread); row < end;
             row += BLOCK) {
            const int64_t last = row + BLOCK < end ? row + BLOCK : end;
            gather(network, &batch, row, last);
            forward(network, epoch, index, 0, row, last);
            compute_loss(network, &batch, (float)epoch->label_smoothing, row, last);
            backward(network, row, last);
        }
        if (!synchronize(team)) break; /* the gradients of all rows are there */
        const Step step = make_step(optimizer, optimizer->t + index - epoch->first_batch + 1,
                                    epoch->learning_rates[index]);
        update_parameters(network, batch.n_rows, &step, team, thread);
        if (thread == 0) {
            double sum = 0;
            for (int64_t row = 0; row < batch.n_rows; row++) sum += network->losses[row];
            epoch->losses[index] = sum / (double)batch.n_rows;
            team->should_stop = left <= epoch->batch_size || now() - begin >= epoch->seconds;
        }
        if (!synchronize(team)) break; /* all parameters are updated */
        should_stop = team->should_stop;
    }
    restore_float_mode(mode);
    return index;
}

/* Write the logits of samples first to last, by each network of a stack, to `out` (n_members,
   last - first, n_classes). */
EXPORT void predict_logits(const Network *network, const Samples *samples, int64_t n_members,
                           int64_t first, int64_t last, float *out) {
    const uint64_t mode = flush_to_zero();
    const Layer *top = network->layers + network->n_layers - 1;
    const int64_t n_classes = network->n_classes;
    for (int64_t start = first; start < last; start += BLOCK) {
        const int64_t n_rows = last - start < BLOCK ? last - start : BLOCK;
        const Batch batch = {samples, NULL, start, n_rows};
        gather(network, &batch, 0, n_rows);
        for (int64_t member = 0; member < n_members; member++) {
            float *to = out + (member * (last - first) + start - first) * n_classes;
            forward(network, NULL, 0, member, 0, n_rows);
            for (int64_t row = 0; row < n_rows; row++, to += n_classes)
                memcpy(to, top->y + row * top->y_stride, n_classes * sizeof(float));
        }
    }
    restore_float_mode(mode);
}

#include "cpu.h"
