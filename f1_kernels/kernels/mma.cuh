// Tensor cores: the product of a tile of 16 x 16 and one of 16 x 8 numbers by a warp.
#pragma once

// d += a * b in f32 for bf16 numbers, two in each word of a and b. With g = lane / 4 and t =
// lane % 4 a lane holds: of a [16][16] the pairs from column 2 t on of rows g and g + 8, then
// those from column 8 + 2 t on; of b [16][8] the pairs of rows from 2 t on and from 8 + 2 t on
// in column g; of d [16][8] the pairs from column 2 t on of rows g and g + 8.
__device__ __forceinline__ void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0,
                                             unsigned b1) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, "
      "{%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

// Loads four tiles of 8 x 8 numbers from shared memory. Lane l gives the address of row l % 8 of
// tile l / 8 and gets, with g and t as above, the pair from column 2 t on of row g of each tile.
__device__ __forceinline__ void load_tiles(unsigned (&tiles)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
               : "l"(static_cast<size_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

// The same for transposed tiles: the pair from row 2 t on of column g.
__device__ __forceinline__ void load_transposed(unsigned (&tiles)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(tiles[0]), "=r"(tiles[1]), "=r"(tiles[2]), "=r"(tiles[3])
               : "l"(static_cast<size_t>(__cvta_generic_to_shared(row)))
               : "memory");
}

// Starts an asynchronous copy of 16 bytes from device memory to shared memory. Where `there` is
// false nothing is read and zeros are written.
__device__ __forceinline__ void start_copy(void* to, const void* from, bool there) {
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;"
               :
               : "l"(static_cast<size_t>(__cvta_generic_to_shared(to))), "l"(from),
                 "r"(there ? 16 : 0)
               : "memory");
}

// Closes the group of copies that this thread started since the last group.
__device__ __forceinline__ void close_group() {
  asm volatile("cp.async.commit_group;" : : : "memory");
}

// Waits until all groups of this thread but the last one are complete.
__device__ __forceinline__ void wait_for_all_but_one() {
  asm volatile("cp.async.wait_group 1;" : : : "memory");
}
