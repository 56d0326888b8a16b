// Copies heads of attention from one memory order to another.
#include "common.cuh"

// Strides of [batch][tokens][heads][width]; the numbers of a head are consecutive.
struct Order {
  size_t batch, token, head;
};

// Copies up to three tensors [batch][tokens][heads][width] of order `from` to `out` in order
// `to`, `part` numbers apart. Blocks: [blocks of a tensor][tensors]; a thread handles N
// consecutive numbers, where N divides `width`; a tensor has `steps` threads.
template <typename T, int N>
__device__ void reorder(const T* x0, const T* x1, const T* x2, T* out, unsigned steps, int tokens,
                        int heads, int width, Order from, Order to, size_t part) {
  unsigned step = blockIdx.x * blockDim.x + threadIdx.x;
  if (step >= steps) {
    return;
  }
  const T* x = blockIdx.y == 0 ? x0 : blockIdx.y == 1 ? x1 : x2;
  unsigned of_head = width / N, row = step / of_head, i = step % of_head * N;
  unsigned head = row % heads, at = row / heads, token = at % tokens, batch = at / tokens;
  float v[N];
  load_some<N>(x + batch * from.batch + token * from.token + head * from.head, i, v);
  store_some<N>(out + blockIdx.y * part + batch * to.batch + token * to.token + head * to.head, i,
                v);
}

#define REORDER(T)                                                                       \
  (const T* x0, const T* x1, const T* x2, T* out, unsigned steps, int tokens, int heads, \
   int width, size_t from_batch, size_t from_token, size_t from_head, size_t to_batch,   \
   size_t to_token, size_t to_head, size_t part)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_heads, reorder, REORDER,
                          (x0, x1, x2, out, steps, tokens, heads, width,
                           Order{from_batch, from_token, from_head},
                           Order{to_batch, to_token, to_head}, part))
