// Convolution in channels-last memory: gathers the patches under the kernel for one matrix
// product.
#include "common.cuh"

// `V` numbers that are copied at once.
template <typename T, int V>
struct alignas(sizeof(T) * V) Pack {
  T numbers[V];
};

// x [batch][height][width][channels] to out [batch][out_height][out_width][taps down][taps
// across][channels]. The image is first enlarged `times` by repeating pixels, then padded with
// zeros: `top` rows above and `left` columns to the left. One thread for each pack of out; a
// pixel has `packs` of them.
template <typename T, int V>
__device__ void unfold(const T* x, T* out, unsigned count, int packs, int height, int width,
                       int out_height, int out_width, int down, int across, int stride, int top,
                       int left, int times) {
  unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= count) {
    return;
  }
  unsigned pack = i % packs, rest = i / packs;
  int tap = rest % (down * across);
  rest /= down * across;
  int column = rest % out_width;
  rest /= out_width;
  int row = rest % out_height;
  unsigned image = rest / out_height;
  int y = row * stride + tap / across - top, x_at = column * stride + tap % across - left;
  Pack<T, V> found = {};
  if (y >= 0 && x_at >= 0 && y < height * times && x_at < width * times) {
    size_t pixel = (static_cast<size_t>(image) * height + y / times) * width + x_at / times;
    found = reinterpret_cast<const Pack<T, V>*>(x)[pixel * packs + pack];
  }
  reinterpret_cast<Pack<T, V>*>(out)[i] = found;
}

#define UNFOLD(T)                                                                        \
  (const T* x, T* out, unsigned count, int packs, int height, int width, int out_height, \
   int out_width, int down, int across, int stride, int top, int left, int times)
#define UNFOLD_ARGUMENTS                                                                        \
  (x, out, count, packs, height, width, out_height, out_width, down, across, stride, top, left, \
   times)

template <typename T>
__device__ void unfold_single UNFOLD(T) {
  unfold<T, 1> UNFOLD_ARGUMENTS;
}
template <typename T>
__device__ void unfold_four UNFOLD(T) {
  unfold<T, 4> UNFOLD_ARGUMENTS;
}

FOR_BOTH(f1_unfold1, unfold_single, UNFOLD, UNFOLD_ARGUMENTS)
FOR_BOTH(f1_unfold4, unfold_four, UNFOLD, UNFOLD_ARGUMENTS)
