// Rotary position embedding, half-split, in f32 whatever the type of the numbers.
#include "common.cuh"

// x and out [batch * tokens][heads][width]; cos and sin [angles][width / 2] with one row a token, or one a batch element and token:
// `angles` rows, which repeat. A thread a pair.
template <typename T>
__device__ void rope(const T *x, const float *cos, const float *sin, T *out, size_t pairs, int heads, int half,
                     int angles) {
  size_t pair = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (pair >= pairs) {
    return;
  }
  size_t head = pair / half;
  int i = pair % half;
  size_t angle = (head / heads) % angles * half + i;
  size_t at = head * 2 * half + i;
  float a = load(x, at), b = load(x, at + half), c = cos[angle], s = sin[angle];
  store(out, at, a * c - b * s);
  store(out, at + half, b * c + a * s);
}

#define ROPE(T) (const T *x, const float *cos, const float *sin, T *out, size_t pairs, int heads, int half, int angles)
FOR_BOTH(f1_rope, rope, ROPE, (x, cos, sin, out, pairs, heads, half, angles))
