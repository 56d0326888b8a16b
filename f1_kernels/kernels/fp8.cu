// 8-bit floats with 4 bits of exponent and 3 of fraction (E4M3), one scale for all numbers of a
// tensor.
#include "common.cuh"

static constexpr float LARGEST = 448.0f;
// Tensors whose numbers are all at most this are not scaled: the inverse of their scale might be
// infinite.
static constexpr float NOTHING = 1e-30f;

// Rounds to the nearest, ties to even; larger numbers become the largest of the format.
__device__ __forceinline__ unsigned char e4m3(float v) {
  unsigned bits = __float_as_uint(v), sign = bits >> 24 & 0x80u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) {
    return sign | 0x7fu;
  }
  float size = __uint_as_float(bits);
  if (size >= LARGEST) {
    return sign | 0x7eu;
  }
  // Below the smallest normal number (2^-6) the spacing is 2^-9.
  if (size < 0.015625f) {
    return sign | static_cast<unsigned>(rintf(size * 512.0f));
  }
  bits += 0x7ffffu + (bits >> 20 & 1u);
  return sign | ((bits >> 20) - (120u << 3));
}

// most [rows]: the largest absolute value of each row of x [rows][width]. One block for each
// row; a thread handles N numbers at a time.
template <typename T, int N>
__device__ void row_max(const T* x, float* most, int width) {
  x += static_cast<size_t>(blockIdx.x) * width;
  float largest = 0.0f;
  for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
    float v[N];
    load_some<N>(x, i, v);
#pragma unroll
    for (int j = 0; j < N; j++) {
      largest = fmaxf(largest, fabsf(v[j]));
    }
  }
  largest = over_block<Most>(largest);
  if (threadIdx.x == 0) {
    most[blockIdx.x] = largest;
  }
}

// out: the numbers of x [rows][width] divided by their scale, then the scale, which maps the
// largest of them to the largest of the format. One block for each row; a thread handles N
// numbers at a time.
template <typename T, int N>
__device__ void fp8_round(const T* x, const float* most, unsigned char* out, int rows, int width) {
  float largest = 0.0f;
  for (int i = threadIdx.x; i < rows; i += blockDim.x) {
    largest = fmaxf(largest, most[i]);
  }
  largest = over_block<Most>(largest);
  float scale = largest > NOTHING ? largest / LARGEST : 1.0f, inverse = 1.0f / scale;
  size_t row = static_cast<size_t>(blockIdx.x) * width;
  for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
    float v[N];
    load_some<N>(x + row, i, v);
    if constexpr (N == 1) {
      out[row + i] = e4m3(v[0] * inverse);
    } else {
      unsigned words[2] = {0u, 0u};
#pragma unroll
      for (int j = 0; j < N; j++) {
        words[j / 4] |= static_cast<unsigned>(e4m3(v[j] * inverse)) << j % 4 * 8;
      }
      *reinterpret_cast<uint2*>(out + row + i) = make_uint2(words[0], words[1]);
    }
  }
  if (blockIdx.x == 0 && threadIdx.x == 0) {
    *reinterpret_cast<float*>(out + static_cast<size_t>(rows) * width) = scale;
  }
}

#define ROW_MAX(T) (const T* x, float* most, int width)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_row_max, row_max, ROW_MAX, (x, most, width))
#define FP8_ROUND(T) (const T* x, const float* most, unsigned char* out, int rows, int width)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_fp8_round, fp8_round, FP8_ROUND, (x, most, out, rows, width))
