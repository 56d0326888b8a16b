// Row normalisations: a block a row, sums in f32 whatever the type of the numbers.
//
// Each also comes with a sum before it: out is then [2][rows][width], first x + delta in the type's precision, then the norm of that.
#include "common.cuh"

// Where a block's row begins, and the sum if there is one. A thread meets the numbers that it has written itself, in every loop.
template <typename T> struct Row {
  const T *x;
  T *out;
  int width;

  __device__ Row(const T *numbers, const T *delta, T *to, int count) : width(count) {
    size_t row = static_cast<size_t>(blockIdx.x) * width;
    x = numbers + row;
    out = to + row;
    if (delta) {
      delta += row;
      for (int i = threadIdx.x; i < width; i += blockDim.x) {
        store(out, i, load(x, i) + load(delta, i));
      }
      x = out;
      out += static_cast<size_t>(gridDim.x) * width;
    }
  }
};

// x / sqrt(mean(x^2) + eps) * scale. scale [width].
template <typename T>
__device__ void rms_norm(const T *x, const T *delta, const float *scale, T *out, int width, float eps) {
  Row<T> row(x, delta, out, width);
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = load(row.x, i);
    squares += v * v;
  }
  float norm = 1.0f / sqrtf(over_block<Sum>(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    store(row.out, i, load(row.x, i) * norm * scale[i]);
  }
}

// (x - mean) / sqrt(variance + eps) * weight + bias. affine [2][width]: weights, then biases.
template <typename T>
__device__ void layer_norm(const T *x, const T *delta, const float *affine, T *out, int width, float eps) {
  Row<T> row(x, delta, out, width);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += load(row.x, i);
  }
  float mean = over_block<Sum>(sum) / width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = load(row.x, i) - mean;
    squares += v * v;
  }
  float norm = 1.0f / sqrtf(over_block<Sum>(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    store(row.out, i, (load(row.x, i) - mean) * norm * affine[i] + affine[width + i]);
  }
}

#define NORM(T) (const T *x, const T *delta, const float *weights, T *out, int width, float eps)
FOR_BOTH(f1_rms_norm, rms_norm, NORM, (x, delta, weights, out, width, eps))
FOR_BOTH(f1_layer_norm, layer_norm, NORM, (x, delta, weights, out, width, eps))
