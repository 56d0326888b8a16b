// Softmax of scaled, masked scores: a block a row, in f32 whatever the type of the scores.
#include "common.cuh"

// scores and out [rows][keys]. Row r belongs to batch element r / rows_a_batch and there to query (r % rows_a_batch) / heads; its
// mask is at batch * mask_batch + query * mask_query and is added to scale * score. No mask: a null pointer.
template <typename T>
__device__ void softmax(const T *scores, const float *mask, T *out, int keys, float scale, int rows_a_batch, int heads,
                        size_t mask_batch, size_t mask_query) {
  size_t row = blockIdx.x;
  scores += row * keys;
  out += row * keys;
  if (mask) {
    mask += row / rows_a_batch * mask_batch + row % rows_a_batch / heads * mask_query;
  }
  float most = Most::none;
  for (int i = threadIdx.x; i < keys; i += blockDim.x) {
    most = fmaxf(most, load(scores, i) * scale + (mask ? mask[i] : 0.0f));
  }
  most = over_block<Most>(most);
  float sum = 0.0f;
  for (int i = threadIdx.x; i < keys; i += blockDim.x) {
    sum += expf(load(scores, i) * scale + (mask ? mask[i] : 0.0f) - most);
  }
  float part = 1.0f / over_block<Sum>(sum);
  for (int i = threadIdx.x; i < keys; i += blockDim.x) {
    store(out, i, expf(load(scores, i) * scale + (mask ? mask[i] : 0.0f) - most) * part);
  }
}

#define SOFTMAX(T)                                                                                 \
  (const T *scores, const float *mask, T *out, int keys, float scale, int rows_a_batch, int heads,  \
   size_t mask_batch, size_t mask_query)
FOR_BOTH(f1_softmax, softmax, SOFTMAX,
         (scores, mask, out, keys, scale, rows_a_batch, heads, mask_batch, mask_query))
