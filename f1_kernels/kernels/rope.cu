// Rotary position embedding, half-split, in f32 for all types. Reads heads from the result of a
// matrix product and writes them in another layout. A thread handles N consecutive pairs, where
// N divides `half`.
#include "common.cuh"

// Writes N numbers of x, and N from x + half on, to the same positions of out, rotated by the
// angles with these cosines and sines, or unchanged where `cos` is null.
template <typename T, int N>
__device__ __forceinline__ void turn(const T* x, const float* cos, const float* sin, T* out,
                                     int half) {
  float a[N], b[N];
  load_some<N>(x, 0, a);
  load_some<N>(x, half, b);
  if (cos) {
    float c[N], s[N];
    load_some<N>(cos, 0, c);
    load_some<N>(sin, 0, s);
#pragma unroll
    for (int j = 0; j < N; j++) {
      float first = a[j] * c[j] - b[j] * s[j];
      b[j] = b[j] * c[j] + a[j] * s[j];
      a[j] = first;
    }
  }
  store_some<N>(out, 0, a);
  store_some<N>(out, half, b);
}

// x and out [batch][tokens][heads][2 * half] with strides of batch elements and tokens. cos and
// sin [tokens][half], `angle_batch` numbers apart for each batch element: 0 where all have the
// same angles. Where cos is null the numbers are copied unchanged. `steps` threads in all.
template <typename T, int N>
__device__ void rope(const T* x, const float* cos, const float* sin, T* out, unsigned steps,
                     int tokens, int heads, int half, size_t angle_batch, size_t x_batch,
                     size_t x_token, size_t out_batch, size_t out_token) {
  unsigned step = blockIdx.x * blockDim.x + threadIdx.x;
  if (step >= steps) {
    return;
  }
  unsigned of_head = half / N, head = step / of_head, i = step % of_head * N;
  unsigned row = head / heads, batch = row / tokens, token = row % tokens;
  size_t within = head % heads * 2 * half + i;
  size_t angle = batch * angle_batch + static_cast<size_t>(token) * half + i;
  turn<T, N>(x + batch * x_batch + token * x_token + within, cos ? cos + angle : nullptr,
             sin + angle, out + batch * out_batch + token * out_token + within, half);
}

#define ROPE(T)                                                                                   \
  (const T* x, const float* cos, const float* sin, T* out, unsigned steps, int tokens, int heads, \
   int half, size_t angle_batch, size_t x_batch, size_t x_token, size_t out_batch,                \
   size_t out_token)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_rope, rope, ROPE,
                          (x, cos, sin, out, steps, tokens, heads, half, angle_batch, x_batch,
                           x_token, out_batch, out_token))

// Takes the queries, keys and values of one product, x [rows][heads + 2 * kv_heads][2 * half]
// with a row for each token of each batch element. Writes the rotated queries to q
// [rows][heads][2 * half], and the rotated keys and the values to rows of a cache,
// `batch_stride` and `token_stride` apart. `steps` threads in all.
template <typename T, int N>
__device__ void rope_joined(const T* x, const float* cos, const float* sin, T* q, T* key, T* value,
                            unsigned steps, int tokens, int heads, int kv_heads, int half,
                            size_t angle_batch, size_t batch_stride, size_t token_stride) {
  unsigned step = blockIdx.x * blockDim.x + threadIdx.x;
  if (step >= steps) {
    return;
  }
  unsigned of_head = half / N, head = step / of_head, i = step % of_head * N;
  unsigned all = heads + 2 * kv_heads, row = head / all, batch = row / tokens, token = row % tokens;
  int of = head % all;
  size_t angle = batch * angle_batch + static_cast<size_t>(token) * half + i;
  size_t held = batch * batch_stride + token * token_stride + i;
  bool turned = of < heads + kv_heads;
  T* out = of < heads ? q + (static_cast<size_t>(row) * heads + of) * 2 * half + i
           : turned   ? key + held + static_cast<size_t>(of - heads) * 2 * half
                      : value + held + static_cast<size_t>(of - heads - kv_heads) * 2 * half;
  turn<T, N>(x + static_cast<size_t>(head) * 2 * half + i, turned ? cos + angle : nullptr,
             sin + angle, out, half);
}

#define ROPE_JOINED(T)                                                                     \
  (const T* x, const float* cos, const float* sin, T* q, T* key, T* value, unsigned steps, \
   int tokens, int heads, int kv_heads, int half, size_t angle_batch, size_t batch_stride, \
   size_t token_stride)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_rope_joined, rope_joined, ROPE_JOINED,
                          (x, cos, sin, q, key, value, steps, tokens, heads, kv_heads, half,
                           angle_batch, batch_stride, token_stride))
