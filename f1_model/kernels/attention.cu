// Attention of few rows to many keys of one head, whose scores never leave the multiprocessor: a block takes some rows and a part of the keys, and
// a second kernel joins the parts.
#include "common.cuh"
#include "mma.cuh"

static constexpr int WARPS = 4;          // a warp takes 16 rows
static constexpr int ROWS = 16 * WARPS;  // rows of a block
static constexpr int KEYS = 32;          // keys in shared memory at a time

struct Parts {
  float *sums;   // [batch][parts][rows][WIDTH], not divided by their weights
  float *stats;  // [batch][parts][rows][2]: largest score, sum of weights
};

// q [batch][rows][WIDTH], key and value [batch][keys][WIDTH] at their strides, all in 16-byte steps. Row r asks for query r / heads, whose mask is
// at batch * mask_batch + query * mask_query; no mask: a null pointer. The first `early_rows` rows see the first `early_keys` keys only. Part p has the keys from p * part_keys on, a multiple of KEYS. Blocks
// [row blocks][parts][batch].
template <int WIDTH>
__device__ void attention(const bf16 *q, const bf16 *key, const bf16 *value, const float *mask, Parts parts, int rows, int keys,
                          int part_keys, float scale, int heads, size_t key_batch, size_t key_token, size_t value_batch,
                          size_t value_token, size_t mask_batch, size_t mask_query, int early_rows, int early_keys) {
  // Strides at which the lanes of a warp read from different banks.
  constexpr int KEY_STRIDE = WIDTH + 8, PAIR_STRIDE = KEYS / 2 + 4;
  __shared__ __align__(16) bf16 some_keys[KEYS * KEY_STRIDE];
  // Of two keys each, the value's numbers of one column side by side: what a tensor core takes as a word.
  __shared__ unsigned some_values[WIDTH * PAIR_STRIDE];

  int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  int batch = blockIdx.z, part = blockIdx.y;
  int first_row = blockIdx.x * ROWS + (threadIdx.x >> 5) * 16;
  int first_key = part * part_keys, end = min(first_key + part_keys, keys);
  key += batch * key_batch;
  value += batch * value_batch;

  unsigned queries[WIDTH / 16][4];
  const float *masks[2];
  int ends[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int row = first_row + g + 8 * half;
    const bf16 *from = q + (static_cast<size_t>(batch) * rows + row) * WIDTH + 2 * t;
    ends[half] = row < early_rows ? min(end, early_keys) : end;
    masks[half] = mask && row < rows ? mask + batch * mask_batch + row / heads * mask_query : nullptr;
#pragma unroll
    for (int step = 0; step < WIDTH / 16; step++) {
      queries[step][half] = row < rows ? *reinterpret_cast<const unsigned *>(from + 16 * step) : 0u;
      queries[step][half + 2] = row < rows ? *reinterpret_cast<const unsigned *>(from + 16 * step + 8) : 0u;
    }
  }

  float sums[WIDTH / 8][4] = {};
  float most[2] = {Most::none, Most::none}, weight[2] = {0.0f, 0.0f};
  for (int at = first_key; at < end; at += KEYS) {
    __syncthreads();
    for (int i = threadIdx.x; i < KEYS * WIDTH / 8; i += 32 * WARPS) {
      int row = i / (WIDTH / 8), column = i % (WIDTH / 8) * 8;
      uint4 eight = make_uint4(0u, 0u, 0u, 0u);
      if (at + row < end) {
        eight = *reinterpret_cast<const uint4 *>(key + (at + row) * key_token + column);
      }
      *reinterpret_cast<uint4 *>(some_keys + row * KEY_STRIDE + column) = eight;
    }
    for (int i = threadIdx.x; i < KEYS / 2 * WIDTH / 8; i += 32 * WARPS) {
      int pair = i % (KEYS / 2), column = i / (KEYS / 2) * 8;
      // Zeros behind the last key: their weight is zero too, but zero times what happens to lie there need not be.
      uint4 low = make_uint4(0u, 0u, 0u, 0u), high = low;
      if (at + 2 * pair < end) {
        low = *reinterpret_cast<const uint4 *>(value + (at + 2 * pair) * value_token + column);
      }
      if (at + 2 * pair + 1 < end) {
        high = *reinterpret_cast<const uint4 *>(value + (at + 2 * pair + 1) * value_token + column);
      }
      const unsigned lows[4] = {low.x, low.y, low.z, low.w}, highs[4] = {high.x, high.y, high.z, high.w};
      unsigned *to = some_values + column * PAIR_STRIDE + pair;
#pragma unroll
      for (int word = 0; word < 4; word++) {
        to[2 * word * PAIR_STRIDE] = (lows[word] & 0xffffu) | highs[word] << 16;
        to[(2 * word + 1) * PAIR_STRIDE] = lows[word] >> 16 | (highs[word] & 0xffff0000u);
      }
    }
    __syncthreads();

    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int step = 0; step < WIDTH / 16; step++) {
#pragma unroll
      for (int tile = 0; tile < KEYS / 8; tile++) {
        const bf16 *from = some_keys + (8 * tile + g) * KEY_STRIDE + 16 * step + 2 * t;
        multiply_add(scores[tile], queries[step], *reinterpret_cast<const unsigned *>(from),
                     *reinterpret_cast<const unsigned *>(from + 8));
      }
    }

    // Rows g and g + 8 of the warp's; the four lanes of a row have a quarter of its keys each.
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float largest = most[half];
#pragma unroll
      for (int tile = 0; tile < KEYS / 8; tile++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          int column = at + 8 * tile + 2 * t + i;
          float &score = scores[tile][2 * half + i];
          if (column < ends[half]) {
            score = score * scale + (masks[half] ? masks[half][column] : 0.0f);
            largest = fmaxf(largest, score);
          }
        }
      }
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 1));
      largest = fmaxf(largest, __shfl_xor_sync(0xffffffffu, largest, 2));
      float shrink = expf(most[half] - largest);
      most[half] = largest;
      weight[half] *= shrink;
#pragma unroll
      for (int tile = 0; tile < WIDTH / 8; tile++) {
        sums[tile][2 * half] *= shrink;
        sums[tile][2 * half + 1] *= shrink;
      }
#pragma unroll
      for (int tile = 0; tile < KEYS / 8; tile++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          float &score = scores[tile][2 * half + i];
          score = at + 8 * tile + 2 * t + i < ends[half] ? expf(score - largest) : 0.0f;
          weight[half] += score;
        }
      }
    }

#pragma unroll
    for (int step = 0; step < KEYS / 16; step++) {
      const unsigned weights[4] = {packed(scores[2 * step][0], scores[2 * step][1]), packed(scores[2 * step][2], scores[2 * step][3]),
                                   packed(scores[2 * step + 1][0], scores[2 * step + 1][1]),
                                   packed(scores[2 * step + 1][2], scores[2 * step + 1][3])};
#pragma unroll
      for (int tile = 0; tile < WIDTH / 8; tile++) {
        const unsigned *from = some_values + (8 * tile + g) * PAIR_STRIDE + 8 * step + t;
        multiply_add(sums[tile], weights, from[0], from[4]);
      }
    }
  }

#pragma unroll
  for (int half = 0; half < 2; half++) {
    float all = weight[half];
    all += __shfl_xor_sync(0xffffffffu, all, 1);
    all += __shfl_xor_sync(0xffffffffu, all, 2);
    int row = first_row + g + 8 * half;
    if (row >= rows) {
      continue;
    }
    size_t to = (static_cast<size_t>(batch) * gridDim.y + part) * rows + row;
    if (t == 0) {
      parts.stats[2 * to] = most[half];
      parts.stats[2 * to + 1] = all;
    }
#pragma unroll
    for (int tile = 0; tile < WIDTH / 8; tile++) {
      *reinterpret_cast<float2 *>(parts.sums + to * WIDTH + 8 * tile + 2 * t) =
          make_float2(sums[tile][2 * half], sums[tile][2 * half + 1]);
    }
  }
}

#define ATTENTION(WIDTH)                                                                                                          \
  extern "C" __global__ void __launch_bounds__(32 * WARPS) f1_attention_##WIDTH(                                                  \
      const bf16 *q, const bf16 *key, const bf16 *value, const float *mask, float *sums, float *stats, int rows, int keys,        \
      int part_keys, float scale, int heads, size_t key_batch, size_t key_token, size_t value_batch, size_t value_token,          \
      size_t mask_batch, size_t mask_query, int early_rows, int early_keys) {                                                     \
    attention<WIDTH>(q, key, value, mask, Parts{sums, stats}, rows, keys, part_keys, scale, heads, key_batch, key_token,          \
                     value_batch, value_token, mask_batch, mask_query, early_rows, early_keys);                                   \
  }
ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(128)
ATTENTION(256)

// Joins what `attention` made of all parts: out [batch][rows][width], a block a row, a thread a number or some.
extern "C" __global__ void f1_attention_join(const float *sums, const float *stats, bf16 *out, int rows, int parts, int width) {
  size_t row = blockIdx.x, batch = row / rows, first = batch * parts * rows + row % rows;
  float most = Most::none, weight = 0.0f;
  for (int part = 0; part < parts; part++) {
    most = fmaxf(most, stats[2 * (first + static_cast<size_t>(part) * rows)]);
  }
  for (int part = 0; part < parts; part++) {
    const float *of = stats + 2 * (first + static_cast<size_t>(part) * rows);
    weight += expf(of[0] - most) * of[1];
  }
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float sum = 0.0f;
    for (int part = 0; part < parts; part++) {
      size_t at = first + static_cast<size_t>(part) * rows;
      sum += expf(stats[2 * at] - most) * sums[at * width + i];
    }
    store(out, row * width + i, sum / weight);
  }
}
