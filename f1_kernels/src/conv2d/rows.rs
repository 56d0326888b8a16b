//! Copying parts of an image row.

/// `out[i] = row[begin + i * stride - left]`, zero outside the row.
#[inline(always)]
pub(crate) fn copy_row(row: &[f32], begin: usize, left: usize, stride: usize, out: &mut [f32]) {
    if stride == 1 {
        // Output columns [low, high) are inside the row.
        let low = left.saturating_sub(begin).min(out.len());
        let high = (row.len() + left).saturating_sub(begin).min(out.len()).max(low);
        out[..low].fill(0.0);
        out[high..].fill(0.0);
        if high > low {
            let from = begin + low - left;
            copy_short(&row[from..from + high - low], &mut out[low..high]);
        }
        return;
    }
    // The output columns [low, high) are inside the row.
    let low = left.saturating_sub(begin).div_ceil(stride).min(out.len());
    let high = (row.len() + left).saturating_sub(begin).div_ceil(stride).min(out.len()).max(low);
    out[..low].fill(0.0);
    out[high..].fill(0.0);
    let Some(source) = (begin + low * stride).checked_sub(left).and_then(|from| row.get(from..))
    else {
        return;
    };
    let out = &mut out[low..high];
    if stride == 2 {
        let (pairs, rest) = source.as_chunks::<2>();
        for (out, pair) in out.iter_mut().zip(pairs) {
            *out = pair[0];
        }
        // The last pair may be half a pair at the row's end.
        if let (Some(out), [last]) = (out.get_mut(pairs.len()), rest) {
            *out = *last;
        }
    } else {
        for (out, &value) in out.iter_mut().zip(source.iter().step_by(stride)) {
            *out = value;
        }
    }
}

/// `copy_from_slice` without the call to `memcpy`, which costs more than these few vectors.
#[inline(always)]
pub(crate) fn copy_short(source: &[f32], out: &mut [f32]) {
    let (source, source_tail) = source.as_chunks::<16>();
    let (out, out_tail) = out.as_chunks_mut::<16>();
    for (out, source) in out.iter_mut().zip(source) {
        *out = *source;
    }
    for (out, source) in out_tail.iter_mut().zip(source_tail) {
        *out = *source;
    }
}
