// Drawing a token of each row of logits after top-k and top-p, in the way of sampling.rs.

// Numbers of a row at most, and threads of a block.
#define ROW 4096
#define THREADS 1024

// A number that is larger for larger logits, and among equal ones for those further back. The two zeros are one.
__device__ __forceinline__ unsigned long long place(float logit, int index) {
  unsigned bits = __float_as_uint(logit + 0.0f);
  bits = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
  return static_cast<unsigned long long>(bits) << 32 | static_cast<unsigned>(index);
}

__device__ __forceinline__ float logit_of(unsigned long long place) {
  unsigned bits = static_cast<unsigned>(place >> 32);
  return __uint_as_float(bits & 0x80000000u ? bits ^ 0x80000000u : ~bits);
}

// Replaces each thread's number by the sum of it and those of all threads before; returns the sum of all.
__device__ double running_sum(double *sums, double &v) {
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

// A block of THREADS a row: logits [rows][count] with count <= ROW, uniform [rows] in [0, 1), ids [rows]. top_k 0 keeps all, top_p 0 too.
extern "C" __global__ void __launch_bounds__(THREADS) f1_draw(const float *logits, const float *uniform, unsigned *ids, int count, int top_k,
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
  // Upwards, what is not there first.
  for (int i = t; i < size; i += THREADS) {
    sorted[i] = i < count ? place(logits[i], i) : 0ull;
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
  float least = top_k > 0 && top_k < count ? logit_of(sorted[size - top_k]) : __uint_as_float(0xff800000u);
  int each = size / THREADS, begin = t * each;
  if (top_p > 0.0) {
    // Of those that top-k kept, the least likely go as long as their sum stays within the bound; the likeliest stays.
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
  // By index, as the draw goes.
  double own = 0.0;
  for (int i = begin; i < begin + each && i < count; i++) {
    float v = logits[i];
    if (v >= least && place(v, i) >= first_kept) {
      own += expf(v - most);
    }
  }
  double sum = own, total = running_sum(sums, sum), wanted = uniform[blockIdx.x] * total;
  sum -= own;
  int last = -1;
  for (int i = begin; i < begin + each && i < count; i++) {
    float v = logits[i];
    if (v >= least && place(v, i) >= first_kept) {
      sum += expf(v - most);
      last = i;
      if (wanted < sum) {
        atomicMin(&chosen, i);
        break;
      }
    }
  }
  __syncthreads();
  // Rounding may leave the last step out of reach.
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
