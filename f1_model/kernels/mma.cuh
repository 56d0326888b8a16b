// Tensor cores: the product of a tile of 16 x 16 and one of 16 x 8 numbers by a warp.
#pragma once

// d += a * b in f32 of bf16 numbers, two in each word of a and b. With g = lane / 4 and t = lane % 4 a lane holds of a [16][16] the pairs from
// column 2 t on of rows g and g + 8, then the same from column 8 + 2 t on; of b [16][8] in column g the pairs of rows from 2 t and from 8 + 2 t
// on; of d [16][8] the pairs from column 2 t on of rows g and g + 8.
__device__ __forceinline__ void multiply_add(float (&d)[4], const unsigned (&a)[4], unsigned b0, unsigned b1) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}
