// Rotary position embedding, half-split, in f32 whatever the type of the numbers, from where a matrix product left the heads to where they
// are wanted.
#include "common.cuh"

// x and out [batch][tokens][heads][2 * half]; from one token and one batch element to the next it is as far as the strides say. cos and
// sin [tokens][half], the next batch element's `angle_batch` numbers on: none where all turn alike. No cos: a null pointer, and the
// numbers are copied as they are. A thread a pair.
template <typename T>
__device__ void rope(const T *x, const float *cos, const float *sin, T *out, size_t pairs, int tokens, int heads, int half,
                     size_t angle_batch, size_t x_batch, size_t x_token, size_t out_batch, size_t out_token) {
  size_t pair = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (pair >= pairs) {
    return;
  }
  size_t head = pair / half;
  int i = pair % half;
  size_t row = head / heads, batch = row / tokens, token = row % tokens;
  size_t within = head % heads * 2 * half + i;
  x += batch * x_batch + token * x_token + within;
  out += batch * out_batch + token * out_token + within;
  float a = load(x, 0), b = load(x, half);
  if (cos) {
    size_t angle = batch * angle_batch + token * half + i;
    float c = cos[angle], s = sin[angle];
    store(out, 0, a * c - b * s);
    store(out, half, b * c + a * s);
  } else {
    store(out, 0, a);
    store(out, half, b);
  }
}

#define ROPE(T)                                                                                                \
  (const T *x, const float *cos, const float *sin, T *out, size_t pairs, int tokens, int heads, int half, \
   size_t angle_batch, size_t x_batch, size_t x_token, size_t out_batch, size_t out_token)
FOR_BOTH(f1_rope, rope, ROPE,
         (x, cos, sin, out, pairs, tokens, heads, half, angle_batch, x_batch, x_token, out_batch, out_token))

// What one product made of a token's queries, its key and its value, each to where it is wanted: x [rows][heads + 2 * kv_heads][2 * half], a row
// a token of a batch element; queries, rotated, to q [rows][heads][2 * half]; the key's heads, rotated, and the value's, as they are, to
// rows of a cache, `batch_stride` and `token_stride` apart. A thread a pair.
template <typename T>
__device__ void rope_joined(const T *x, const float *cos, const float *sin, T *q, T *key, T *value, size_t pairs, int tokens,
                            int heads, int kv_heads, int half, size_t angle_batch, size_t batch_stride, size_t token_stride) {
  size_t pair = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (pair >= pairs) {
    return;
  }
  size_t head = pair / half;
  int i = pair % half, all = heads + 2 * kv_heads;
  size_t row = head / all, batch = row / tokens, token = row % tokens;
  int of = head % all;
  x += head * 2 * half + i;
  size_t held = batch * batch_stride + token * token_stride + i;
  float a = load(x, 0), b = load(x, half);
  if (of >= heads + kv_heads) {
    value += held + static_cast<size_t>(of - heads - kv_heads) * 2 * half;
    store(value, 0, a);
    store(value, half, b);
    return;
  }
  T *out = of < heads ? q + (row * heads + of) * 2 * half + i : key + held + static_cast<size_t>(of - heads) * 2 * half;
  size_t angle = batch * angle_batch + token * half + i;
  float c = cos[angle], s = sin[angle];
  store(out, 0, a * c - b * s);
  store(out, half, b * c + a * s);
}

#define ROPE_JOINED(T)                                                                                         \
  (const T *x, const float *cos, const float *sin, T *q, T *key, T *value, size_t pairs, int tokens, int heads, \
   int kv_heads, int half, size_t angle_batch, size_t batch_stride, size_t token_stride)
FOR_BOTH(f1_rope_joined, rope_joined, ROPE_JOINED,
         (x, cos, sin, q, key, value, pairs, tokens, heads, kv_heads, half, angle_batch, batch_stride, token_stride))
