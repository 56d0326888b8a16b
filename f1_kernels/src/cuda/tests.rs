//! Every kernel against candle's own operations, in builds with the feature `cuda`. The tests need
//! a GPU and fail without one.

use candle_core::{DType, Device, Tensor};

use super::super::{
    Block, Conv2dGeometry, Conv2dWeights, LayerNormWeights, add_layer_norm, add_rms_norm,
    attention, attention_in_blocks, attention_plain, conv2d, conv2d_plain, geglu, geglu_joined,
    group_norm, group_norm_plain, layer_norm, layer_norm_plain, rms_norm, rms_norm_plain, rope,
    rope_joined, rope_plain, write_rows,
};

fn gpu() -> Device {
    crate::device::cuda().expect("a GPU")
}

fn random(shape: &[usize], device: &Device) -> Tensor {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu).unwrap().to_device(device).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    let wide =
        |tensor: &Tensor| tensor.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap();
    (wide(a) - wide(b)).unwrap().abs().unwrap().max_all().unwrap().to_scalar().unwrap()
}

/// The types, each with the largest difference allowed between fused and candle's own operations.
const TYPES: [(DType, f32); 2] = [(DType::F32, 1e-5), (DType::BF16, 3e-2)];

#[test]
fn norms_are_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        for width in [7, 128, 2048] {
            let x = random(&[3, 5, width], &device).to_dtype(dtype).unwrap();
            let delta = random(&[3, 5, width], &device).to_dtype(dtype).unwrap();
            let sum = (&x + &delta).unwrap();
            let (scale, bias) = (random(&[width], &device), random(&[width], &device));
            let affine = LayerNormWeights::new(scale.clone(), bias.clone()).unwrap();
            let near =
                |a: &Tensor, b: Tensor| assert!(distance(a, &b) <= tolerance, "{dtype:?} {width}");
            near(&rms_norm(&x, &scale, 1e-6).unwrap(), rms_norm_plain(&x, &scale, 1e-6).unwrap());
            near(
                &layer_norm(&x, &affine, 1e-5).unwrap(),
                layer_norm_plain(&x, &scale, &bias, 1e-5).unwrap(),
            );
            for (found, normed) in [
                (add_rms_norm(&x, &delta, &scale, 1e-6), rms_norm_plain(&sum, &scale, 1e-6)),
                (
                    add_layer_norm(&x, &delta, &affine, 1e-5),
                    layer_norm_plain(&sum, &scale, &bias, 1e-5),
                ),
            ] {
                let (found_sum, found) = found.unwrap();
                assert!(distance(&found_sum, &sum) == 0.0, "{dtype:?} {width}");
                near(&found, normed.unwrap());
            }
        }
    }
}

#[test]
fn group_norms_are_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // One part of a group, and many; groups of one channel, and of several.
        for (shape, groups) in [([2, 6, 5, 7], 3), ([1, 4, 200, 210], 2), ([2, 8, 40, 40], 8)] {
            let x = (random(&shape, &device) + 3.0).unwrap().to_dtype(dtype).unwrap();
            let (weight, bias) = (random(&[shape[1]], &device), random(&[shape[1]], &device));
            for silu in [false, true] {
                let fused = group_norm(&x, &weight, &bias, groups, 1e-6, silu).unwrap();
                let plain = group_norm_plain(&x, &weight, &bias, groups, 1e-6, silu).unwrap();
                assert!(distance(&fused, &plain) <= 2.0 * tolerance, "{dtype:?} {shape:?}");
            }
        }
    }
}

#[test]
fn channels_last_group_norms_are_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        for (shape, groups) in [([2, 6, 5, 7], 3), ([1, 40, 70, 51], 8), ([2, 1100, 6, 7], 4)] {
            let x = (random(&shape, &device) + 3.0).unwrap().to_dtype(dtype).unwrap();
            let lying = super::pixels_first(&x).unwrap().permute((0, 3, 1, 2)).unwrap();
            let (weight, bias) = (random(&[shape[1]], &device), random(&[shape[1]], &device));
            for silu in [false, true] {
                let fused = group_norm(&lying, &weight, &bias, groups, 1e-6, silu).unwrap();
                let plain = group_norm_plain(&x, &weight, &bias, groups, 1e-6, silu).unwrap();
                assert!(fused.permute((0, 2, 3, 1)).unwrap().is_contiguous());
                assert!(distance(&fused, &plain) <= 2.0 * tolerance, "{dtype:?} {shape:?}");
            }
        }
    }
}

#[test]
#[cfg(not(feature = "cudnn"))]
fn convolutions_are_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // Channels that are multiples of four and others; kernels of one and three; any padding.
        for (channels, side, output, geometry) in [
            (3, 3, 8, Conv2dGeometry::same(1)),
            (8, 3, 5, Conv2dGeometry::same(1)),
            (8, 3, 6, Conv2dGeometry::halving()),
            (12, 1, 7, Conv2dGeometry::same(0)),
            (6, 3, 4, Conv2dGeometry { stride: 2, top: 0, left: 2, bottom: 1, right: 0 }),
        ] {
            let of = |shape: &[usize]| random(shape, &device).to_dtype(dtype).unwrap();
            let x = of(&[2, channels, 9, 11]);
            let (weight, bias) = (of(&[output, channels, side, side]), of(&[output]));
            let near = |fused: &Tensor, plain: &Tensor| {
                assert!(
                    distance(fused, plain) <= 8.0 * tolerance,
                    "{dtype:?} {channels} {geometry:?}"
                );
            };
            let plain = conv2d_plain(&x, &weight, Some(&bias), geometry).unwrap();
            let fused = conv2d(&x, &weight, Some(&bias), geometry).unwrap();
            assert!(fused.permute((0, 2, 3, 1)).unwrap().is_contiguous());
            near(&fused, &plain);
            let of_weights = |tf32| Conv2dWeights::new(weight.clone(), bias.clone(), tf32).unwrap();
            let weights = of_weights(false);
            near(&weights.forward(&x, geometry).unwrap(), &plain);
            // A channels-last result is the next input; the summand may have either layout.
            let lying = super::pixels_first(&x).unwrap().permute((0, 3, 1, 2)).unwrap();
            let onto = of(plain.dims());
            near(&weights.add_to(&onto, &lying, geometry).unwrap(), &(&onto + &plain).unwrap());
            near(&weights.add_to(&fused, &x, geometry).unwrap(), &(&plain + &plain).unwrap());
            let large = x.upsample_nearest2d(18, 22).unwrap();
            near(
                &weights.enlarged(&x, 2, geometry).unwrap(),
                &conv2d_plain(&large, &weight, Some(&bias), geometry).unwrap(),
            );
            // TF32 has ten bits of fraction; sums have up to 108 products of normal numbers.
            let rounded = of_weights(true).forward(&x, geometry).unwrap();
            assert!(
                distance(&rounded, &plain)
                    <= if dtype == DType::F32 { 2e-2 } else { 8.0 * tolerance }
            );
        }
    }
}

#[test]
fn biases_are_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        let of = |shape: &[usize]| random(shape, &device).to_dtype(dtype).unwrap();
        for width in [700, 704, 4304] {
            let (x, weight, bias) = (of(&[3, 5, 16]), of(&[width, 16]), of(&[width]));
            let plain =
                x.broadcast_matmul(&weight.t().unwrap()).unwrap().broadcast_add(&bias).unwrap();
            let fused = crate::linear(&x, &weight, Some(&bias)).unwrap();
            assert!(distance(&fused, &plain) <= 4.0 * tolerance, "{dtype:?} {width}");
            let fused = crate::linear_gelu(&x, &weight, &bias).unwrap();
            assert!(
                distance(&fused, &plain.gelu().unwrap()) <= 4.0 * tolerance,
                "{dtype:?} {width}"
            );
        }
    }
}

#[test]
fn products_of_few_rows_are_candles() {
    let device = gpu();
    // Few rows and one too many; rows that are part of a larger tensor, as are the weights; sizes
    // that are multiples of eight and others.
    let sizes = [(1, 64, 32), (51, 96, 1024), (129, 64, 64), (9, 60, 36)];
    for (dtype, (rows, output, input)) in
        TYPES.iter().flat_map(|(dtype, _)| sizes.map(|sizes| (*dtype, sizes)))
    {
        let of = |shape: &[usize]| random(shape, &device).to_dtype(dtype).unwrap();
        let (x, weight) = (of(&[rows + 1, input]), of(&[2 * output, input]));
        for (x, weight) in [
            (x.clone(), weight.clone()),
            (x.narrow(0, 1, rows).unwrap(), weight.narrow(0, output, output).unwrap()),
        ] {
            // Twice: the second time the plan is reused.
            for _ in 0..2 {
                let found = crate::linear(&x, &weight, None).unwrap();
                let [x, weight] = [&x, &weight].map(|part| part.to_dtype(DType::F32).unwrap());
                let plain = x.matmul(&weight.t().unwrap()).unwrap();
                let largest: f32 = plain.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
                assert!(
                    distance(&found, &plain) <= 5e-3 * largest,
                    "{dtype:?} {rows} {output} {input}"
                );
            }
        }
    }
}

#[test]
fn rope_is_candles_with_shared_and_with_own_angles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // Halves of a head that are multiples of eight and others.
        for (rows, width) in [(1, 16), (2, 16), (1, 12), (2, 64)] {
            let all = random(&[2, 9, 5, width], &device).to_dtype(dtype).unwrap();
            let angles = random(&[2, rows, 9, width / 2], &device);
            // Heads that are a part of a product's result.
            let x = all.narrow(2, 1, 3).unwrap();
            let plain = rope_plain(&x, &angles).unwrap();
            assert!(distance(&rope(&x, &angles).unwrap(), &plain) <= tolerance, "{dtype:?}");
            // A part of a longer table, as in a pass over the last rows.
            let part = angles.narrow(2, 4, 5).unwrap();
            let last = x.narrow(1, 4, 5).unwrap();
            let fused = rope(&last, &part).unwrap();
            assert!(distance(&fused, &rope_plain(&last, &part).unwrap()) <= tolerance, "{dtype:?}");
            // Into a cache, whose other rows stay unchanged.
            let cache = random(&[2, 14, 3, width], &device).to_dtype(dtype).unwrap();
            let before = cache.copy().unwrap();
            write_rows(&cache, 2, &x, Some(&angles)).unwrap();
            assert!(distance(&cache.narrow(1, 2, 9).unwrap(), &plain) <= tolerance, "{dtype:?}");
            write_rows(&cache, 2, &x, None).unwrap();
            assert!(distance(&cache.narrow(1, 2, 9).unwrap(), &x) == 0.0, "{dtype:?}");
            for (first, tokens) in [(0, 2), (11, 3)] {
                let of = |cache: &Tensor| cache.narrow(1, first, tokens).unwrap();
                assert!(distance(&of(&cache), &of(&before)) == 0.0, "{dtype:?}");
            }
        }
    }
}

#[test]
fn joined_queries_keys_and_values_are_rotated_and_written_to_the_cache() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        for (kv_heads, rows, width) in [(1, 1, 16), (2, 2, 16), (1, 2, 12), (1, 1, 64)] {
            let all = random(&[2, 5, 4 + 2 * kv_heads, width], &device).to_dtype(dtype).unwrap();
            // A layer of a longer block, after tokens that it holds.
            let block = random(&[6, 2, 9, kv_heads, width], &device).to_dtype(dtype).unwrap();
            let before = block.copy().unwrap();
            let angles = random(&[2, rows, 5, width / 2], &device);
            let layer = block.narrow(0, 2, 2).unwrap();
            let query = rope_joined(&all, 4, &layer, 3, &angles).unwrap();
            let turned =
                |first, count| rope_plain(&all.narrow(2, first, count).unwrap(), &angles).unwrap();
            let held = |block: &Tensor, part| block.get(part).unwrap().narrow(1, 3, 5).unwrap();
            assert!(distance(&query, &turned(0, 4)) <= tolerance, "{dtype:?}");
            assert!(distance(&held(&block, 2), &turned(4, kv_heads)) <= tolerance, "{dtype:?}");
            let values = all.narrow(2, 4 + kv_heads, kv_heads).unwrap();
            assert!(distance(&held(&block, 3), &values) == 0.0, "{dtype:?}");
            for (first, tokens) in [(0, 3), (8, 1)] {
                let of = |block: &Tensor| block.narrow(2, first, tokens).unwrap();
                assert!(distance(&of(&block), &of(&before)) == 0.0, "{dtype:?}");
            }
            for part in [0, 1, 4, 5] {
                assert!(
                    distance(&block.get(part).unwrap(), &before.get(part).unwrap()) == 0.0,
                    "{dtype:?}"
                );
            }
        }
    }
}

#[test]
fn attention_without_scores_in_memory_is_candles() {
    let device = gpu();
    let bf16 = |tensor: Tensor| tensor.to_dtype(DType::BF16).unwrap();
    // Rows and keys that fill no block, one part and several, every width.
    for (batch, queries, heads, keys, width) in [
        (1, 1, 1, 1, 16),
        (2, 5, 2, 33, 32),
        (1, 9, 8, 200, 64),
        (2, 3, 4, 65, 128),
        (1, 51, 8, 333, 256),
        (3, 20, 8, 97, 256),
    ] {
        let q = bf16(random(&[batch, queries, heads, width], &device));
        // In a cache with free capacity, whose unwritten memory may hold NaN.
        let broken = Tensor::full(f32::NAN, (2, batch, 7, 1, width), &device).unwrap();
        let held = Tensor::cat(&[random(&[2, batch, keys, 1, width], &device), broken], 2).unwrap();
        let cache = bf16(held);
        let part = |index: usize| cache.get(index).unwrap().narrow(1, 0, keys).unwrap();
        let (k, v) = (part(0), part(1));
        let hidden = |dims: [usize; 3]| {
            let count = dims.iter().product();
            let numbers = (0..count).map(|i| if i % 7 == 3 { -1e9 } else { (i % 5) as f32 * 0.3 });
            Tensor::from_iter(numbers, &device).unwrap().reshape(dims.as_slice()).unwrap()
        };
        let masks = [None, Some(hidden([batch, 1, keys])), Some(hidden([1, queries, keys]))];
        for mask in masks.iter().map(Option::as_ref) {
            // Scores in f32, as in the kernel: candle's product would round them.
            let [q32, k32, v32] = [&q, &k, &v].map(|part| part.to_dtype(DType::F32).unwrap());
            let plain = attention_plain(&q32, &k32, &v32, mask, 0.2).unwrap();
            let found = attention(&q, &k, &v, mask, 0.2).unwrap();
            let off = distance(&found, &plain);
            assert!(off <= 2e-2, "{batch} {queries} {heads} {keys} {width}: {off}");
            in_two_blocks([&q, &k, &v], [&q32, &k32, &v32], mask, 2e-2);
        }
    }
}

/// First queries that attend to fewer keys: one operation equals two, one for each block.
fn in_two_blocks(qkv: [&Tensor; 3], plain: [&Tensor; 3], mask: Option<&Tensor>, tolerance: f32) {
    let (queries, keys) = (qkv[0].dim(1).unwrap(), qkv[1].dim(1).unwrap());
    for (early, seen) in [(1, keys.div_ceil(3)), (queries - 1, keys - 1)] {
        if early == 0 || early >= queries || seen == 0 {
            continue;
        }
        let blocks = [Block { rows: early, keys: seen }, Block { rows: queries - early, keys }];
        let found = attention_in_blocks(qkv[0], qkv[1], qkv[2], mask, 0.2, &blocks).unwrap();
        let of = |first: usize, block: Block| {
            let q = plain[0].narrow(1, first, block.rows).unwrap();
            let [k, v] = [plain[1], plain[2]].map(|x| x.narrow(1, 0, block.keys).unwrap());
            let mask = mask.map(|mask| {
                let own = if mask.dim(1).unwrap() == 1 {
                    Ok(mask.clone())
                } else {
                    mask.narrow(1, first, block.rows)
                };
                own.unwrap().narrow(2, 0, block.keys).unwrap()
            });
            attention_plain(&q, &k, &v, mask.as_ref(), 0.2).unwrap()
        };
        let wanted = Tensor::cat(&[of(0, blocks[0]), of(early, blocks[1])], 1).unwrap();
        let off = distance(&found, &wanted);
        assert!(off <= tolerance, "{blocks:?}: {off}");
    }
}

#[test]
fn attention_of_many_rows_to_keys_with_others_behind_them_is_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // More rows than the kernel without scores takes; keys that are multiples of eight and
        // others; with and without capacity for the next multiple of eight.
        for (batch, keys, capacity) in [(1, 37, 40), (1, 40, 40), (1, 37, 38), (2, 29, 40)] {
            let of = |shape: &[usize]| random(shape, &device).to_dtype(dtype).unwrap();
            let (q, cache) = (of(&[batch, 260, 8, 16]), of(&[2, batch, alloc, 1, 16]));
            let part = |index: usize| cache.get(index).unwrap().narrow(1, 0, keys).unwrap();
            let (k, v) = (part(0), part(1));
            let numbers =
                (0..batch * keys).map(|i| if i % 7 == 3 { -1e9 } else { (i % 5) as f32 * 0.3 });
            let mask =
                Tensor::from_iter(numbers, &device).unwrap().reshape((batch, 1, keys)).unwrap();
            for mask in [None, Some(&mask)] {
                let plain = attention_plain(&q, &k, &v, mask, 0.2).unwrap();
                let off = distance(&attention(&q, &k, &v, mask, 0.2).unwrap(), &plain);
                assert!(off <= tolerance, "{dtype:?} {batch} {keys} {alloc}: {off}");
                in_two_blocks([&q, &k, &v], [&q, &k, &v], mask, tolerance);
            }
        }
    }
}

#[test]
fn attention_of_heads_with_keys_of_their_own_is_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // As in the vision tower; multiples of eight and others.
        for (batch, tokens, heads, width) in [(3, 20, 4, 72), (1, 37, 2, 12), (2, 8, 3, 16)] {
            let all = random(&[batch, tokens, 3, heads, width], &device).to_dtype(dtype).unwrap();
            let part = |index: usize| all.get_on_dim(2, index).unwrap();
            let (q, k, v) = (part(0), part(1), part(2));
            let plain = attention_plain(&q, &k, &v, None, 0.2).unwrap();
            let near = |found: Tensor| {
                let off = distance(&found, &plain);
                assert!(off <= tolerance, "{dtype:?} {batch} {tokens} {heads} {width}: {off}");
            };
            near(attention(&q, &k, &v, None, 0.2).unwrap());
            near(
                attention(&q.contiguous().unwrap(), &k, &v.contiguous().unwrap(), None, 0.2)
                    .unwrap(),
            );
        }
    }
}

#[test]
fn the_gate_is_candles() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        // Multiples of eight and others, in one block of threads and in several.
        for width in [700, 704, 4096] {
            let of =
                |shape: &[usize]| (random(shape, &device) * 3.0).unwrap().to_dtype(dtype).unwrap();
            let (gate, up) = (of(&[3, width]), of(&[3, width]));
            let plain = gate.gelu().unwrap().mul(&up).unwrap();
            // Products of two numbers may be large: the tolerance is relative to them.
            let size = (plain.abs().unwrap() + 1.0).unwrap().to_dtype(DType::F32).unwrap();
            let near = |found: Tensor| {
                let relative = |x: &Tensor| (x.to_dtype(DType::F32).unwrap() / &size).unwrap();
                assert!(
                    distance(&relative(&found), &relative(&plain)) <= tolerance,
                    "{dtype:?} {width}"
                );
            };
            near(geglu(&gate, &up).unwrap());
            near(geglu_joined(&Tensor::cat(&[&gate, &up], 1).unwrap()).unwrap());
        }
    }
}

#[test]
fn attention_is_candles_with_one_and_with_many_key_heads() {
    let device = gpu();
    for (dtype, tolerance) in TYPES {
        for (batch, kv_heads) in [(1, 1), (2, 1), (2, 4)] {
            let of = |tokens: usize, heads: usize| {
                random(&[batch, tokens, heads, 16], &device).to_dtype(dtype).unwrap()
            };
            let (q, k, v) = (of(6, 4), of(37, kv_heads), of(37, kv_heads));
            let hidden = |queries: usize| {
                let values: Vec<f32> = (0..batch * queries * 37)
                    .map(|i| if i % 37 > 0 && i % 3 == 0 { -1e30 } else { 0.0 })
                    .collect();
                Tensor::from_vec(values, (batch, queries, 37), &device).unwrap()
            };
            for mask in [None, Some(hidden(1)), Some(hidden(6))] {
                let fused = attention(&q, &k, &v, mask.as_ref(), 0.25).unwrap();
                let plain = attention_plain(&q, &k, &v, mask.as_ref(), 0.25).unwrap();
                assert!(distance(&fused, &plain) <= tolerance, "{dtype:?} {batch} {kv_heads}");
            }
            // Keys that are the first rows of a larger cache.
            let (k, v) = (k.narrow(1, 0, 20).unwrap(), v.narrow(1, 0, 20).unwrap());
            let fused = attention(&q, &k, &v, None, 0.25).unwrap();
            let plain = attention_plain(&q, &k, &v, None, 0.25).unwrap();
            assert!(distance(&fused, &plain) <= tolerance, "{dtype:?} {batch} {kv_heads} narrowed");
        }
    }
}

#[test]
fn products_of_8_bit_floats_are_those_of_the_rounded_numbers() {
    let device = gpu();
    for (dtype, _) in TYPES {
        let x = (random(&[3, 7, 64], &device) * 300.0).unwrap().to_dtype(dtype).unwrap();
        let weight = (random(&[96, 64], &device) * 1e-3).unwrap().to_dtype(dtype).unwrap();
        let bytes = super::to_fp8(&weight).unwrap();
        // Rows of a larger matrix.
        let found = super::fp8_linear(&x, &bytes, 32, 48).unwrap();
        let rounded = |x: &Tensor| {
            crate::fp8_rounded(&x.to_device(&Device::Cpu).unwrap().to_dtype(DType::F32).unwrap())
                .unwrap()
        };
        let rows = rounded(&weight).narrow(0, 32, 48).unwrap();
        let plain = rounded(&x).broadcast_matmul(&rows.t().unwrap()).unwrap();
        assert_eq!(found.dims(), plain.dims());
        let largest: f32 = plain.abs().unwrap().max_all().unwrap().to_scalar().unwrap();
        assert!(
            distance(&found, &plain) <= 1e-2 * largest,
            "{dtype:?}: {} of {largest}",
            distance(&found, &plain)
        );
    }
}
