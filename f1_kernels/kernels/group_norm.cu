// Group normalisation with its affine map and, optionally, SiLU. A group has several blocks, so
// that a few large groups fill the device too. Two kernels for channels-first memory, three for
// channels-last memory.
#include "common.cuh"

// The range of block `part` of `parts` in the `size` numbers of a group.
struct Part {
  size_t begin, end;
  __device__ Part(size_t size, int part, int parts) {
    size_t each = (size + parts - 1) / parts;
    begin = min(part * each, size);
    end = min(begin + each, size);
  }
  __device__ float count() const { return static_cast<float>(end - begin); }
};

// Mean of each part and the sum of squared differences from it: moments [groups of all batch
// elements][parts][2].
template <typename T>
__device__ void group_moments(const T* x, float* moments, size_t size, int parts) {
  Part part(size, blockIdx.x % parts, parts);
  x += blockIdx.x / parts * size;
  float sum = 0.0f;
  for (size_t i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    sum += load(x, i);
  }
  float mean = over_block<Sum>(sum) / fmaxf(part.count(), 1.0f);
  float squares = 0.0f;
  for (size_t i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    float v = load(x, i) - mean;
    squares += v * v;
  }
  squares = over_block<Sum>(squares);
  if (threadIdx.x == 0) {
    moments[2 * blockIdx.x] = mean;
    moments[2 * blockIdx.x + 1] = squares;
  }
}

// out = (x - mean) / sqrt(variance + eps) * weight + bias, then times its sigmoid if `silu`. x
// [batch][channels][plane] with `groups` groups of size / plane channels; weight and bias
// [channels].
template <typename T>
__device__ void group_norm(const T* x, const float* moments, const float* weight, const float* bias,
                           T* out, size_t size, size_t plane, int parts, int groups, float eps,
                           int silu) {
  size_t group = blockIdx.x / parts;
  x += group * size;
  out += group * size;
  moments += 2 * group * parts;
  float mean = 0.0f, squares = 0.0f;
  for (int i = 0; i < parts; i++) {
    mean += moments[2 * i] * Part(size, i, parts).count();
  }
  mean /= size;
  for (int i = 0; i < parts; i++) {
    float off = moments[2 * i] - mean;
    squares += moments[2 * i + 1] + Part(size, i, parts).count() * off * off;
  }
  float norm = 1.0f / sqrtf(squares / size + eps);
  size_t channels = size / plane, first = group % groups * channels;
  weight += first;
  bias += first;
  Part part(size, blockIdx.x % parts, parts);
  for (size_t i = part.begin + threadIdx.x; i < part.end; i += blockDim.x) {
    size_t channel = i / plane;
    float v = (load(x, i) - mean) * norm * weight[channel] + bias[channel];
    store(out, i, silu ? v / (1.0f + expf(-v)) : v);
  }
}

#define MOMENTS(T) (const T* x, float* moments, size_t size, int parts)
FOR_BOTH(f1_group_moments, group_moments, MOMENTS, (x, moments, size, parts))

#define GROUP_NORM(T)                                                                             \
  (const T* x, const float* moments, const float* weight, const float* bias, T* out, size_t size, \
   size_t plane, int parts, int groups, float eps, int silu)
FOR_BOTH(f1_group_norm, group_norm, GROUP_NORM,
         (x, moments, weight, bias, out, size, plane, parts, groups, eps, silu))

// Channels-last memory: x [batch][pixels][channels].

// The pixels of part `part` of `parts`.
#define PIXELS(part) Part(pixels, part, parts)

// For each channel in each part the mean and the sum of squared differences from it: moments
// [batch][parts][channels][2]. One block for each part.
template <typename T>
__device__ void channel_moments(const T* x, float* moments, size_t pixels, int channels,
                                int parts) {
  Part part = PIXELS(blockIdx.x % parts);
  x += blockIdx.x / parts * pixels * channels;
  moments += 2 * static_cast<size_t>(blockIdx.x) * channels;
  for (int channel = threadIdx.x; channel < channels; channel += blockDim.x) {
    float sum = 0.0f, squares = 0.0f;
    for (size_t i = part.begin; i < part.end; i++) {
      sum += load(x, i * channels + channel);
    }
    float mean = sum / fmaxf(part.count(), 1.0f);
    for (size_t i = part.begin; i < part.end; i++) {
      float v = load(x, i * channels + channel) - mean;
      squares += v * v;
    }
    moments[2 * channel] = mean;
    moments[2 * channel + 1] = squares;
  }
}

// For each group its mean and the inverse of its standard deviation: statistics
// [batch][groups][2]. One block for each group.
__device__ void group_statistics(const float* moments, float* statistics, size_t pixels,
                                 int channels, int parts, int groups, float eps) {
  int each = channels / groups, count = parts * each, group = blockIdx.x % groups;
  moments += 2 * (blockIdx.x / groups * static_cast<size_t>(parts) * channels + group * each);
  float size = static_cast<float>(pixels) * each, sum = 0.0f, squares = 0.0f;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const float* of = moments + 2 * (static_cast<size_t>(i / each) * channels + i % each);
    sum += of[0] * PIXELS(i / each).count();
  }
  float mean = over_block<Sum>(sum) / size;
  for (int i = threadIdx.x; i < count; i += blockDim.x) {
    const float* of = moments + 2 * (static_cast<size_t>(i / each) * channels + i % each);
    float off = of[0] - mean;
    squares += of[1] + PIXELS(i / each).count() * off * off;
  }
  squares = over_block<Sum>(squares);
  if (threadIdx.x == 0) {
    statistics[2 * blockIdx.x] = mean;
    statistics[2 * blockIdx.x + 1] = 1.0f / sqrtf(squares / size + eps);
  }
}

// As group_norm. One thread for each of `count` numbers.
template <typename T>
__device__ void pixel_norm(const T* x, const float* statistics, const float* weight,
                           const float* bias, T* out, size_t count, size_t pixels, int channels,
                           int groups, int silu) {
  size_t i = static_cast<size_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  size_t pixel = i / channels;
  int channel = i - pixel * channels;
  statistics += 2 * (pixel / pixels * groups + channel / (channels / groups));
  float v = (load(x, i) - statistics[0]) * statistics[1] * weight[channel] + bias[channel];
  store(out, i, silu ? v / (1.0f + expf(-v)) : v);
}

#define CHANNEL_MOMENTS(T) (const T* x, float* moments, size_t pixels, int channels, int parts)
FOR_BOTH(f1_channel_moments, channel_moments, CHANNEL_MOMENTS,
         (x, moments, pixels, channels, parts))

extern "C" __global__ void f1_group_statistics(const float* moments, float* statistics,
                                               size_t pixels, int channels, int parts, int groups,
                                               float eps) {
  group_statistics(moments, statistics, pixels, channels, parts, groups, eps);
}

#define PIXEL_NORM(T)                                                                   \
  (const T* x, const float* statistics, const float* weight, const float* bias, T* out, \
   size_t count, size_t pixels, int channels, int groups, int silu)
FOR_BOTH(f1_pixel_norm, pixel_norm, PIXEL_NORM,
         (x, statistics, weight, bias, out, count, pixels, channels, groups, silu))
