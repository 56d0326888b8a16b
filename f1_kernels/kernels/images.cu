// Prepares camera images for the network: 8-bit pixels [height][width][3] to planes
// [3][height][width] in [-1, 1]. The sums are those of the CPU in the same order, so that both
// give the same bits.
#include "common.cuh"

__device__ __forceinline__ float between(float a, float b, float weight) {
  return __fadd_rn(__fmul_rn(a, 1.0f - weight), __fmul_rn(b, weight));
}

// Bilinear resizing, padded at the left and the top. The table has for each of new_width
// columns, then for each of new_height rows: two source indices, and the second one's weight as
// the bits of a float. One thread for each number.
extern "C" __global__ void f1_fit(const unsigned char* pixels, const unsigned* table, float* out,
                                  int source_width, int width, int height, int new_width,
                                  int new_height) {
  int area = width * height;
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 3 * area) {
    return;
  }
  int channel = i / area, column = i % width - (width - new_width),
      row = i % area / width - (height - new_height);
  if (column < 0 || row < 0) {
    out[i] = -1.0f;
    return;
  }
  const unsigned *across = table + 3 * column, *down = table + 3 * (new_width + row);
  float right = __uint_as_float(across[2]), lower = __uint_as_float(down[2]);
  float rows[2];
#pragma unroll
  for (int k = 0; k < 2; k++) {
    const unsigned char* from = pixels + static_cast<size_t>(down[k]) * source_width * 3 + channel;
    rows[k] = between(from[across[0] * 3] / 255.0f, from[across[1] * 3] / 255.0f, right);
  }
  out[i] = between(rows[0], rows[1], lower) * 2.0f - 1.0f;
}

// Weights have 22 fractional bits.
static constexpr int PRECISION = 22;

// The weighted sum of bytes that are `step` apart, rounded to a byte. A table has for each
// target index the first source index and the number of weights, and behind these `taps` weights
// for each.
__device__ __forceinline__ int shrunk(const unsigned char* from, const int* table, int index,
                                      int count, int taps, size_t step) {
  int start = table[2 * index], here = table[2 * index + 1];
  const int* weights = table + 2 * count + index * taps;
  int sum = 1 << (PRECISION - 1);
  for (int k = 0; k < here; k++) {
    sum += weights[k] * from[(start + k) * step];
  }
  return min(max(sum >> PRECISION, 0), 255);
}

// Shrinks the rows from first_row on along the columns: [rows][columns][3] bytes. One thread for
// each byte.
extern "C" __global__ void f1_shrink_across(const unsigned char* pixels, const int* table,
                                            unsigned char* out, int source_width, int first_row,
                                            int rows, int columns, int taps) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= rows * columns * 3) {
    return;
  }
  int channel = i % 3, column = i / 3 % columns, row = i / 3 / columns;
  const unsigned char* from =
      pixels + static_cast<size_t>(first_row + row) * source_width * 3 + channel;
  out[i] = static_cast<unsigned char>(shrunk(from, table, column, columns, taps, 3));
}

// Shrinks along the rows, to planes. The table's source indices are relative to first_row. One
// thread for each number.
extern "C" __global__ void f1_shrink_down(const unsigned char* middle, const int* table, float* out,
                                          int width, int height, int taps) {
  int area = width * height;
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= 3 * area) {
    return;
  }
  int channel = i / area, row = i % area / width, column = i % width;
  float unit = shrunk(middle + column * 3 + channel, table, row, height, taps,
                      static_cast<size_t>(width) * 3) /
               255.0f;
  out[i] = unit + unit - 1.0f;
}
