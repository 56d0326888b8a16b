// Shared by the kernels. Needs no header of the CUDA toolkit: bf16 is handled as its bits.
#pragma once

typedef unsigned short bf16;

__device__ __forceinline__ float load(const float* p, size_t i) { return p[i]; }

__device__ __forceinline__ float load(const bf16* p, size_t i) {
  return __uint_as_float(static_cast<unsigned>(p[i]) << 16);
}

__device__ __forceinline__ void store(float* p, size_t i, float v) { p[i] = v; }

// Rounds to the nearest, ties to even, as the CPU's conversion does; NaN stays NaN.
__device__ __forceinline__ void store(bf16* p, size_t i, float v) {
  unsigned bits = __float_as_uint(v);
  bool nan = (bits & 0x7fffffffu) > 0x7f800000u;
  p[i] = nan ? 0x7fffu : static_cast<bf16>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// The number rounded to the type, as if it had been stored and loaded.
template <typename T>
__device__ __forceinline__ float rounded(float v) {
  T stored;
  store(&stored, 0, v);
  return load(&stored, 0);
}

// The bits of a number in bf16, rounded as `store` does.
__device__ __forceinline__ unsigned bf16_bits(float v) {
  bf16 stored;
  store(&stored, 0, v);
  return stored;
}

// Two numbers in one word, the first in the lower half.
__device__ __forceinline__ unsigned packed(float low, float high) {
  return bf16_bits(high) << 16 | bf16_bits(low);
}

// N consecutive numbers from number i on: one, or eight in accesses of 16 bytes, for which p + i
// must be aligned.
template <int N>
__device__ __forceinline__ void load_some(const float* p, size_t i, float (&v)[N]) {
  static_assert(N == 1 || N == 8, "one or eight");
  if constexpr (N == 1) {
    v[0] = p[i];
  } else {
    const float4* from = reinterpret_cast<const float4*>(p + i);
    float4 low = from[0], high = from[1];
    v[0] = low.x, v[1] = low.y, v[2] = low.z, v[3] = low.w;
    v[4] = high.x, v[5] = high.y, v[6] = high.z, v[7] = high.w;
  }
}

template <int N>
__device__ __forceinline__ void load_some(const bf16* p, size_t i, float (&v)[N]) {
  static_assert(N == 1 || N == 8, "one or eight");
  if constexpr (N == 1) {
    v[0] = load(p, i);
  } else {
    uint4 eight = *reinterpret_cast<const uint4*>(p + i);
    const unsigned words[4] = {eight.x, eight.y, eight.z, eight.w};
#pragma unroll
    for (int word = 0; word < 4; word++) {
      v[2 * word] = __uint_as_float(words[word] << 16);
      v[2 * word + 1] = __uint_as_float(words[word] & 0xffff0000u);
    }
  }
}

template <int N>
__device__ __forceinline__ void store_some(float* p, size_t i, const float (&v)[N]) {
  static_assert(N == 1 || N == 8, "one or eight");
  if constexpr (N == 1) {
    p[i] = v[0];
  } else {
    float4* to = reinterpret_cast<float4*>(p + i);
    to[0] = make_float4(v[0], v[1], v[2], v[3]);
    to[1] = make_float4(v[4], v[5], v[6], v[7]);
  }
}

template <int N>
__device__ __forceinline__ void store_some(bf16* p, size_t i, const float (&v)[N]) {
  static_assert(N == 1 || N == 8, "one or eight");
  if constexpr (N == 1) {
    store(p, i, v[0]);
  } else {
    *reinterpret_cast<uint4*>(p + i) =
        make_uint4(packed(v[0], v[1]), packed(v[2], v[3]), packed(v[4], v[5]), packed(v[6], v[7]));
  }
}

// v / 2 * (1 + tanh(inner)) with 1 + tanh(x) = 2 / (1 + exp(-2 x)): an exponential and a
// division take half the time of tanh.
__device__ __forceinline__ float gelu_tanh(float v) {
  float inner = 0.7978845608028654f * (v + 0.044715f * v * v * v);
  return v / (1.0f + expf(-2.0f * inner));
}

struct Sum {
  static __device__ __forceinline__ float of(float a, float b) { return a + b; }
  static constexpr float none = 0.0f;
};

struct Most {
  static __device__ __forceinline__ float of(float a, float b) { return fmaxf(a, b); }
  // The least finite number. Minus infinity would make its difference to itself NaN.
  static constexpr float none = -3.402823466e+38f;
};

// The sum or maximum over all threads of a block, returned to each of them. Blocks consist of
// whole warps.
template <typename Op>
__device__ float over_block(float v) {
  __shared__ float parts[32];
  for (int other = 16; other > 0; other >>= 1) {
    v = Op::of(v, __shfl_xor_sync(0xffffffffu, v, other));
  }
  int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  // A previous reduction may still read `parts`.
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
#define FOR_BOTH(name, body, parameters, arguments)                                  \
  extern "C" __global__ void name##_f32 parameters(float) { body<float> arguments; } \
  extern "C" __global__ void name##_bf16 parameters(bf16) { body<bf16> arguments; }

// The same for a body that handles one or eight numbers at a time; the latter kernels are called
// `name_8`.
#define FOR_BOTH_BY_ONE_AND_EIGHT(name, body, parameters, arguments)                      \
  extern "C" __global__ void name##_f32 parameters(float) { body<float, 1> arguments; }   \
  extern "C" __global__ void name##_bf16 parameters(bf16) { body<bf16, 1> arguments; }    \
  extern "C" __global__ void name##_8_f32 parameters(float) { body<float, 8> arguments; } \
  extern "C" __global__ void name##_8_bf16 parameters(bf16) { body<bf16, 8> arguments; }
