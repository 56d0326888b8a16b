// Attention of few rows to many keys of one head. Scores stay in the multiprocessor: a block
// handles some rows and a part of the keys, and a second kernel combines the parts.
#include "common.cuh"
#include "mma.cuh"

static constexpr int WARPS = 4;          // a warp handles 16 rows
static constexpr int ROWS = 16 * WARPS;  // rows of a block
static constexpr int KEYS = 32;          // keys in shared memory at a time

struct Parts {
  float* sums;   // [batch][parts][rows][WIDTH], not divided by their weights
  float* stats;  // [batch][parts][rows][2]: largest score, sum of weights
};

// q [batch][rows][WIDTH]; key and value [batch][keys][WIDTH] with their strides; all accesses
// are 16 bytes wide. Row r belongs to query r / heads, whose mask is at batch * mask_batch +
// query * mask_query; without a mask the pointer is null. The first `early_rows` rows attend
// only to the first `early_keys` keys. Part p has the keys from p * part_keys on; part_keys is a
// multiple of KEYS. Blocks: [row blocks][parts][batch].
template <int WIDTH>
__device__ void attention(const bf16* q, const bf16* key, const bf16* value, const float* mask,
                          Parts parts, int rows, int keys, int part_keys, float scale, int heads,
                          size_t key_batch, size_t key_token, size_t value_batch,
                          size_t value_token, size_t mask_batch, size_t mask_query, int early_rows,
                          int early_keys) {
  // With this stride the rows that lanes read at once begin in different banks.
  constexpr int STRIDE = WIDTH + 8;
  __shared__ __align__(16) bf16 some_keys[KEYS * STRIDE];
  __shared__ __align__(16) bf16 some_values[KEYS * STRIDE];

  int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3;
  int batch = blockIdx.z, part = blockIdx.y;
  int first_row = blockIdx.x * ROWS + (threadIdx.x >> 5) * 16;
  int first_key = part * part_keys, end = min(first_key + part_keys, keys);
  key += batch * key_batch;
  value += batch * value_batch;

  unsigned queries[WIDTH / 16][4];
  unsigned masks[2];
  int ends[2];
#pragma unroll
  for (int half = 0; half < 2; half++) {
    int row = first_row + g + 8 * half;
    const bf16* from = q + (static_cast<size_t>(batch) * rows + row) * WIDTH + 2 * t;
    ends[half] = row < early_rows ? min(end, early_keys) : end;
    masks[half] = batch * mask_batch + min(row, rows - 1) / heads * mask_query;
#pragma unroll
    for (int step = 0; step < WIDTH / 16; step++) {
      queries[step][half] = row < rows ? *reinterpret_cast<const unsigned*>(from + 16 * step) : 0u;
      queries[step][half + 2] =
          row < rows ? *reinterpret_cast<const unsigned*>(from + 16 * step + 8) : 0u;
    }
  }

  // Zeros behind the last key. The weight of a value there is zero, but zero times uninitialised
  // memory may be NaN.
  auto fetch = [&](bf16* to, const bf16* from, size_t token, int at) {
    for (int i = threadIdx.x; i < KEYS * WIDTH / 8; i += 32 * WARPS) {
      int row = i / (WIDTH / 8), column = i % (WIDTH / 8) * 8;
      bool there = at + row < end;
      start_copy(to + row * STRIDE + column, from + (there ? at + row : first_key) * token + column,
                 there);
    }
    close_group();
  };
  // The beginning of this lane's row of four tiles. For keys these are two tiles of keys by two
  // of columns, for values the transpose.
  const bf16* key_tiles =
      some_keys + (lane & 7) * STRIDE + (lane >> 4) * 8 * STRIDE + (lane >> 3 & 1) * 8;
  const bf16* value_tiles = some_values + (lane & 15) * STRIDE + (lane >> 4) * 8;

  float sums[WIDTH / 8][4] = {};
  float most[2] = {Most::none, Most::none}, weight[2] = {0.0f, 0.0f};
  // Values are fetched while scores are computed, the next keys while values are summed.
  fetch(some_keys, key, key_token, first_key);
  for (int at = first_key; at < end; at += KEYS) {
    fetch(some_values, value, value_token, at);
    wait_for_all_but_one();
    __syncthreads();

    float scores[KEYS / 8][4] = {};
#pragma unroll
    for (int step = 0; step < WIDTH / 16; step++) {
#pragma unroll
      for (int tile = 0; tile < KEYS / 8; tile += 2) {
        unsigned keys_of[4];
        load_tiles(keys_of, key_tiles + 8 * tile * STRIDE + 16 * step);
        multiply_add(scores[tile], queries[step], keys_of[0], keys_of[1]);
        multiply_add(scores[tile + 1], queries[step], keys_of[2], keys_of[3]);
      }
    }
    __syncthreads();
    if (at + KEYS < end) {
      fetch(some_keys, key, key_token, at + KEYS);
    } else {
      close_group();
    }

    // Rows g and g + 8 of the warp; each of the four lanes of a row has a quarter of its keys.
#pragma unroll
    for (int half = 0; half < 2; half++) {
      float largest = most[half];
#pragma unroll
      for (int tile = 0; tile < KEYS / 8; tile++) {
#pragma unroll
        for (int i = 0; i < 2; i++) {
          int column = at + 8 * tile + 2 * t + i;
          float& score = scores[tile][2 * half + i];
          if (column < ends[half]) {
            score = score * scale + (mask ? mask[masks[half] + column] : 0.0f);
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
          float& score = scores[tile][2 * half + i];
          score = at + 8 * tile + 2 * t + i < ends[half] ? expf(score - largest) : 0.0f;
          weight[half] += score;
        }
      }
    }

    wait_for_all_but_one();
    __syncthreads();
#pragma unroll
    for (int step = 0; step < KEYS / 16; step++) {
      const unsigned weights[4] = {packed(scores[2 * step][0], scores[2 * step][1]),
                                   packed(scores[2 * step][2], scores[2 * step][3]),
                                   packed(scores[2 * step + 1][0], scores[2 * step + 1][1]),
                                   packed(scores[2 * step + 1][2], scores[2 * step + 1][3])};
#pragma unroll
      for (int tile = 0; tile < WIDTH / 8; tile += 2) {
        unsigned values_of[4];
        load_transposed(values_of, value_tiles + 16 * step * STRIDE + 8 * tile);
        multiply_add(sums[tile], weights, values_of[0], values_of[1]);
        multiply_add(sums[tile + 1], weights, values_of[2], values_of[3]);
      }
    }
    __syncthreads();
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
      *reinterpret_cast<float2*>(parts.sums + to * WIDTH + 8 * tile + 2 * t) =
          make_float2(sums[tile][2 * half], sums[tile][2 * half + 1]);
    }
  }
}

#define ATTENTION(WIDTH)                                                                           \
  extern "C" __global__ void __launch_bounds__(32 * WARPS) f1_attention_##WIDTH(                   \
      const bf16* q, const bf16* key, const bf16* value, const float* mask, float* sums,           \
      float* stats, int rows, int keys, int part_keys, float scale, int heads, size_t key_batch,   \
      size_t key_token, size_t value_batch, size_t value_token, size_t mask_batch,                 \
      size_t mask_query, int early_rows, int early_keys) {                                         \
    attention<WIDTH>(q, key, value, mask, Parts{sums, stats}, rows, keys, part_keys, scale, heads, \
                     key_batch, key_token, value_batch, value_token, mask_batch, mask_query,       \
                     early_rows, early_keys);                                                      \
  }
ATTENTION(16)
ATTENTION(32)
ATTENTION(64)
ATTENTION(128)
ATTENTION(256)

// Combines the results of `attention` for all parts: out [batch][rows][width]. One block for
// each row; a thread handles one or more numbers.
extern "C" __global__ void f1_attention_join(const float* sums, const float* stats, bf16* out,
                                             int rows, int parts, int width) {
  size_t row = blockIdx.x, batch = row / rows, first = batch * parts * rows + row % rows;
  float most = Most::none, weight = 0.0f;
  for (int part = 0; part < parts; part++) {
    most = fmaxf(most, stats[2 * (first + static_cast<size_t>(part) * rows)]);
  }
  for (int part = 0; part < parts; part++) {
    const float* of = stats + 2 * (first + static_cast<size_t>(part) * rows);
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
