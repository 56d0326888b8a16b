// Row normalisations. One block for each row; sums are in f32 for all types.
//
// With `delta` the sum x + delta is normalised: out is then [2][rows][width], first x + delta
// rounded to the type, then its norm.
#include "common.cuh"

// A thread handles N numbers at a time. In every loop it reads the numbers that it wrote itself.

// The row of a block; the constructor computes the sum if there is one.
template <typename T, int N>
struct Row {
  const T* x;
  T* out;
  int width;

  __device__ Row(const T* numbers, const T* delta, T* to, int count) : width(count) {
    size_t row = static_cast<size_t>(blockIdx.x) * width;
    x = numbers + row;
    out = to + row;
    if (delta) {
      delta += row;
      for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
        float v[N], d[N];
        load_some<N>(x, i, v);
        load_some<N>(delta, i, d);
#pragma unroll
        for (int j = 0; j < N; j++) {
          v[j] += d[j];
        }
        store_some<N>(out, i, v);
      }
      x = out;
      out += static_cast<size_t>(gridDim.x) * width;
    }
  }

  // The sum of `of` over the numbers of the row.
  template <typename Of>
  __device__ float sum(Of of) const {
    float sum = 0.0f;
    for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
      float v[N];
      load_some<N>(x, i, v);
#pragma unroll
      for (int j = 0; j < N; j++) {
        sum += of(v[j]);
      }
    }
    return over_block<Sum>(sum);
  }
};

// x / sqrt(mean(x^2) + eps) * scale. scale [width].
template <typename T, int N>
__device__ void rms_norm(const T* x, const T* delta, const float* scale, T* out, int width,
                         float eps) {
  Row<T, N> row(x, delta, out, width);
  float norm = 1.0f / sqrtf(row.sum([](float v) { return v * v; }) / width + eps);
  for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
    float v[N], by[N];
    load_some<N>(row.x, i, v);
    load_some<N>(scale, i, by);
#pragma unroll
    for (int j = 0; j < N; j++) {
      v[j] = v[j] * norm * by[j];
    }
    store_some<N>(row.out, i, v);
  }
}

// (x - mean) / sqrt(variance + eps) * weight + bias. affine [2][width]: weights, then biases.
template <typename T, int N>
__device__ void layer_norm(const T* x, const T* delta, const float* affine, T* out, int width,
                           float eps) {
  Row<T, N> row(x, delta, out, width);
  float mean = row.sum([](float v) { return v; }) / width;
  float norm =
      1.0f / sqrtf(row.sum([mean](float v) { return (v - mean) * (v - mean); }) / width + eps);
  for (int i = threadIdx.x * N; i < width; i += blockDim.x * N) {
    float v[N], by[N], plus[N];
    load_some<N>(row.x, i, v);
    load_some<N>(affine, i, by);
    load_some<N>(affine + width, i, plus);
#pragma unroll
    for (int j = 0; j < N; j++) {
      v[j] = (v[j] - mean) * norm * by[j] + plus[j];
    }
    store_some<N>(row.out, i, v);
  }
}

#define NORM(T) (const T* x, const T* delta, const float* weights, T* out, int width, float eps)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_rms_norm, rms_norm, NORM, (x, delta, weights, out, width, eps))
FOR_BOTH_BY_ONE_AND_EIGHT(f1_layer_norm, layer_norm, NORM, (x, delta, weights, out, width, eps))
