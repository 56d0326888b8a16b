// Softmax of scaled, masked scores, in f32 for all types. One block for each row.
#include "common.cuh"

// The keys that a row attends to, and the mask that is added to its scores.
struct Seen {
  const float* mask;
  size_t mask_batch, mask_query;
  int keys, early_rows, early_keys;
};

// scores and out [rows][stride]; only the first `seen.keys` numbers of a row are scores, and the
// rest of out becomes zero. Row r belongs to batch element r / rows_a_batch and there to query
// (r % rows_a_batch) / heads. Its mask is at batch * mask_batch + query * mask_query and is
// added to scale * score; without a mask the pointer is null. The first `early_rows` rows of a
// batch element attend only to the first `early_keys` keys. A thread handles N numbers at a
// time.
template <typename T, int N>
__device__ void softmax(const T* scores, T* out, Seen seen, int stride, float scale,
                        int rows_a_batch, int heads) {
  size_t row = blockIdx.x;
  scores += row * stride;
  out += row * stride;
  int batch = row / rows_a_batch, within = row % rows_a_batch;
  const float* mask =
      seen.mask ? seen.mask + batch * seen.mask_batch + within / heads * seen.mask_query : nullptr;
  int keys = within < seen.early_rows ? seen.early_keys : seen.keys;
  // The first loop computes the largest score and the sum, which is rescaled whenever a larger
  // score is found; the second computes the weights.
  float most = Most::none, sum = 0.0f;
  for (int i = threadIdx.x * N; i < keys; i += blockDim.x * N) {
    float v[N];
    load_some<N>(scores, i, v);
    float largest = most;
#pragma unroll
    for (int j = 0; j < N; j++) {
      if (i + j < keys) {
        v[j] = v[j] * scale + (mask ? mask[i + j] : 0.0f);
        largest = fmaxf(largest, v[j]);
      }
    }
    sum *= expf(most - largest);
    most = largest;
#pragma unroll
    for (int j = 0; j < N; j++) {
      sum += i + j < keys ? expf(v[j] - most) : 0.0f;
    }
  }
  float largest = over_block<Most>(most);
  float part = 1.0f / over_block<Sum>(sum * expf(most - largest));
  for (int i = threadIdx.x * N; i < stride; i += blockDim.x * N) {
    float v[N];
    load_some<N>(scores, i, v);
#pragma unroll
    for (int j = 0; j < N; j++) {
      v[j] =
          i + j < keys ? expf(v[j] * scale + (mask ? mask[i + j] : 0.0f) - largest) * part : 0.0f;
    }
    store_some<N>(out, i, v);
  }
}

#define SOFTMAX(T)                                                                    \
  (const T* scores, const float* mask, T* out, int keys, int stride, float scale,     \
   int rows_a_batch, int heads, size_t mask_batch, size_t mask_query, int early_rows, \
   int early_keys)
FOR_BOTH_BY_ONE_AND_EIGHT(f1_softmax, softmax, SOFTMAX,
                          (scores, out,
                           Seen{mask, mask_batch, mask_query, keys, early_rows, early_keys}, stride,
                           scale, rows_a_batch, heads))
