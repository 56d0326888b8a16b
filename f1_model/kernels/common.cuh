// What the kernels share. No header of the toolkit is needed: bf16 is handled as its bits.
#pragma once

typedef unsigned short bf16;

__device__ __forceinline__ float load(const float *p, size_t i) { return p[i]; }

__device__ __forceinline__ float load(const bf16 *p, size_t i) {
  return __uint_as_float(static_cast<unsigned>(p[i]) << 16);
}

__device__ __forceinline__ void store(float *p, size_t i, float v) { p[i] = v; }

// Rounds to the nearest, ties to even, as the processor's conversion does; not-a-number stays so.
__device__ __forceinline__ void store(bf16 *p, size_t i, float v) {
  unsigned bits = __float_as_uint(v);
  bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  p[i] = nan ? 0x7fffu : static_cast<bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// The number as it comes back from memory.
template <typename T> __device__ __forceinline__ float rounded(float v) {
  T stored;
  store(&stored, 0, v);
  return load(&stored, 0);
}

__device__ __forceinline__ float gelu_tanh(float v) {
  float inner = 0.7978845608028654f * (v + 0.044715f * v * v * v);
  return 0.5f * v * (1.0f + tanhf(inner));
}

struct Sum {
  static __device__ __forceinline__ float of(float a, float b) { return a + b; }
  static constexpr float none = 0.0f;
};

struct Most {
  static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
  // Below every finite number, and finite: its difference to itself is zero.
  static constexpr float none = -3.402823466e+38f;
};

// The sum or maximum over all threads of a block, given to each of them. Blocks have whole warps.
template <typename Op> __device__ float over_block(float v) {
  __shared__ float parts[32];
  for (int other = 16; other > 0; other >>= 1) {
    v = Op::of(v, __shfl_xor_sync(0xffffffffu, v, other));
  }
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  // Another reduction may still read its parts.
  __syncthreads();
  if (lane == 0) {
    parts[warp] = v;
  }
  __syncthreads();
  v = lane < static_cast<int>(blockDim.x >> 5) ? parts[lane] : Op::none;
  for (int other = 16; other > 0; other >>= 1) {
    v = Op::of(v, __shfl_xor_sync(0xffffffffu, v, other));
  }
  return v;
}

// Defines the kernel `name` for f32 and bf16.
#define FOR_BOTH(name, body, parameters, arguments)                                                \
  extern "C" __global__ void name##_f32 parameters(float) { body<float> arguments; }                \
  extern "C" __global__ void name##_bf16 parameters(bf16) { body<bf16> arguments; }
