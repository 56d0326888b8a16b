// Draws a token from each row of logits after top-k and top-p, with the algorithm of
// f1_model/src/sampling.rs.

// Most numbers of a row, and threads of a block.
#define ROW 4096
#define THREADS 1024

// A sort key that is larger for larger logits, and for later ones among equal logits. Both zeros
// are equal.
__device__ __forceinline__ unsigned long long sort_key(float logit, int index) {
  unsigned bits = __float_as_uint(logit + 0.0f);
  bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<unsigned long long>(bits) << 32 | static_cast<unsigned>(index);
}

__device__ __forceinline__ float logit_of(unsigned long long key) {
  unsigned bits = static_cast<unsigned>(key >> 32);
  return __uint_as_float(bits & 0x80000000u ? bits ^ 0x80000000u : ~bits);
}

// Replaces each thread's number by the sum of its own and those of all threads before; returns
// the sum of all.
__device__ double running_sum(double* sums, double& v) {
  int t = threadIdx.x;
  __syncthreads();
  sums[t] = v;
  __syncthreads();
  for (int far = 1; far < THREADS; far <<= 1) {
    double before = t >= far ? sums[t - far] : 0.0;
    __syncthreads();
    sums[t] += before;
    __syncthreads();
  }
  v = sums[t];
  return sums[THREADS - 1];
}

// logits [rows][count] with count <= ROW, uniform [rows] in [0, 1), ids [rows]. One block of
// THREADS for each row. A top_k or top_p of 0 keeps all.
extern "C" __global__ void __launch_bounds__(THREADS)
    f1_draw(const float* logits, const float* uniform, unsigned* ids, int count, int top_k,
            double top_p) {
  __shared__ unsigned long long sorted[ROW];
  __shared__ double sums[THREADS];
  __shared__ unsigned long long first_kept;
  __shared__ int chosen;
  int t = threadIdx.x;
  logits += static_cast<size_t>(blockIdx.x) * count;
  int size = THREADS;
  while (size < count) {
    size <<= 1;
  }
  // Sorts upwards; positions without a logit come first.
  for (int i = t; i < size; i += THREADS) {
    sorted[i] = i < count ? sort_key(logits[i], i) : 0ull;
  }
  if (t == 0) {
    first_kept = top_p > 0.0 ? ~0ull : 0ull;
    chosen = count;
  }
  __syncthreads();
  for (int run = 2; run <= size; run <<= 1) {
    for (int far = run >> 1; far > 0; far >>= 1) {
      for (int i = t; i < size; i += THREADS) {
        int other = i ^ far;
        if (other > i && (sorted[i] > sorted[other]) == ((i & run) == 0)) {
          unsigned long long keep = sorted[i];
          sorted[i] = sorted[other];
          sorted[other] = keep;
        }
      }
      __syncthreads();
    }
  }
  float most = logit_of(sorted[size - 1]);
  float least =
      top_k > 0 && top_k < count ? logit_of(sorted[size - top_k]) : __uint_as_float(0xff800000u);
  int each = size / THREADS, begin = t * each;
  if (top_p > 0.0) {
    // Top-p: of the tokens that top-k kept, the least likely are removed while their sum stays
    // within the bound. The likeliest is always kept.
    double own = 0.0;
    for (int i = begin; i < begin + each; i++) {
      float v = logit_of(sorted[i]);
      if (sorted[i] && v >= least) {
        own += exp(static_cast<double>(v) - most);
      }
    }
    double sum = own, total = running_sum(sums, sum), bound = (1.0 - top_p) * total;
    sum -= own;
    for (int i = begin; i < begin + each; i++) {
      float v = logit_of(sorted[i]);
      if (sorted[i] && v >= least) {
        sum += exp(static_cast<double>(v) - most);
        if (sum > bound || i == size - 1) {
          atomicMin(&first_kept, sorted[i]);
          break;
        }
      }
    }
    __syncthreads();
  }
  // The draw runs over the tokens by index.
  double own = 0.0;
  for (int i = begin; i < begin + each && i < count; i++) {
    float v = logits[i];
    if (v >= least && sort_key(v, i) >= first_kept) {
      own += expf(v - most);
    }
  }
  double sum = own, total = running_sum(sums, sum), wanted = uniform[blockIdx.x] * total;
  sum -= own;
  int last = -1;
  for (int i = begin; i < begin + each && i < count; i++) {
    float v = logits[i];
    if (v >= least && sort_key(v, i) >= first_kept) {
      sum += expf(v - most);
      last = i;
      if (wanted < sum) {
        atomicMin(&chosen, i);
        break;
      }
    }
  }
  __syncthreads();
  // By rounding no sum may exceed `wanted`: then the last kept token is drawn.
  if (chosen == count) {
    __syncthreads();
    if (t == 0) {
      chosen = -1;
    }
    __syncthreads();
    atomicMax(&chosen, last);
    __syncthreads();
  }
  if (t == 0) {
    ids[blockIdx.x] = chosen < 0 ? 0u : static_cast<unsigned>(chosen);
  }
}
