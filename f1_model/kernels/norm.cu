// Row normalisations: a block a row, sums in f32 whatever the type of the numbers.
#include "common.cuh"

// out = x / sqrt(mean(x^2) + eps) * scale. x and out [rows][width], scale [width].
template <typename T>
__device__ void rms_norm(const T *x, const float *scale, T *out, int width, float eps) {
  x += static_cast<size_t>(blockIdx.x) * width;
  out += static_cast<size_t>(blockIdx.x) * width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = load(x, i);
    squares += v * v;
  }
  float norm = 1.0f / sqrtf(over_block<Sum>(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    store(out, i, load(x, i) * norm * scale[i]);
  }
}

// out = (x - mean) / sqrt(variance + eps) * weight + bias.
template <typename T>
__device__ void layer_norm(const T *x, const float *weight, const float *bias, T *out, int width, float eps) {
  x += static_cast<size_t>(blockIdx.x) * width;
  out += static_cast<size_t>(blockIdx.x) * width;
  float sum = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    sum += load(x, i);
  }
  float mean = over_block<Sum>(sum) / width;
  float squares = 0.0f;
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    float v = load(x, i) - mean;
    squares += v * v;
  }
  float norm = 1.0f / sqrtf(over_block<Sum>(squares) / width + eps);
  for (int i = threadIdx.x; i < width; i += blockDim.x) {
    store(out, i, (load(x, i) - mean) * norm * weight[i] + bias[i]);
  }
}

#define RMS_NORM(T) (const T *x, const float *scale, T *out, int width, float eps)
FOR_BOTH(f1_rms_norm, rms_norm, RMS_NORM, (x, scale, out, width, eps))

#define LAYER_NORM(T) (const T *x, const float *weight, const float *bias, T *out, int width, float eps)
FOR_BOTH(f1_layer_norm, layer_norm, LAYER_NORM, (x, weight, bias, out, width, eps))
