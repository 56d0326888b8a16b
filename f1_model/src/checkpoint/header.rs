//! The header of a safetensors file, checked before it is used.

use serde_json::Value;

use super::map::MappedFile;

/// No published header is larger.
const MAX_HEADER: u64 = 100_000_000;

/// One tensor as the file describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileTensor {
    /// Name in the file.
    pub name: String,
    /// Type in the file: F64, F32, F16, BF16, I64 and so on.
    pub dtype: String,
    /// Shape.
    pub shape: Vec<usize>,
    /// First byte, counted from the start of the file.
    pub start: usize,
    /// The byte after the last.
    pub end: usize,
}

/// Bytes of one element.
pub(super) fn element_size(dtype: &str) -> Option<usize> {
    match dtype {
        "F64" | "I64" | "U64" => Some(8),
        "F32" | "I32" | "U32" => Some(4),
        "F16" | "BF16" | "I16" | "U16" => Some(2),
        "I8" | "U8" | "BOOL" | "F8_E4M3" | "F8_E5M2" => Some(1),
        _ => None,
    }
}

/// The tensors of a file in file order.
///
/// Every fault is listed: lengths that overflow or leave the file, overlaps, gaps, unknown types.
pub(super) fn read(file: &MappedFile) -> std::result::Result<Vec<FileTensor>, Vec<String>> {
    let bytes = file.bytes();
    let Some(prefix) = bytes.get(..8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok()) else {
        return Err(vec![format!("the file has {} bytes, too few for a header", file.len())]);
    };
    let length = u64::from_le_bytes(prefix);
    if length > MAX_HEADER {
        return Err(vec![format!(
            "its first bytes give a header of {length} bytes, more than {MAX_HEADER}: this is no \
             safetensors file, or it is damaged"
        )]);
    }
    let data_start = 8 + length as usize;
    let Some(header) = bytes.get(8..data_start) else {
        return Err(vec![format!(
            "the header claims {length} bytes, the file has {}: truncated",
            file.len()
        )]);
    };
    let value: Value = serde_json::from_slice(header)
        .map_err(|error| vec![format!("the header is not JSON: {error}")])?;
    let Some(map) = value.as_object() else {
        return Err(vec!["the header is not a JSON object".to_string()]);
    };

    let mut faults = Vec::new();
    let mut tensors = Vec::with_capacity(map.len());
    for (name, entry) in map {
        if name == "__metadata__" {
            continue;
        }
        match tensor(name, entry, data_start, file.len()) {
            Ok(tensor) => tensors.push(tensor),
            Err(fault) => faults.push(format!("{name}: {fault}")),
        }
    }
    tensors.sort_by(|a, b| (a.start, a.end, &a.name).cmp(&(b.start, b.end, &b.name)));
    let mut at = data_start;
    for tensor in &tensors {
        if tensor.start < at && tensor.end > tensor.start {
            faults.push(format!("{}: its bytes overlap those of the tensor before", tensor.name));
        } else if tensor.start > at {
            faults.push(format!(
                "{}: {} bytes before it belong to no tensor",
                tensor.name,
                tensor.start - at
            ));
        }
        at = at.max(tensor.end);
    }
    if faults.is_empty() && at < file.len() {
        faults
            .push(format!("{} bytes behind the last tensor belong to no tensor", file.len() - at));
    }
    if faults.is_empty() { Ok(tensors) } else { Err(faults) }
}

fn tensor(
    name: &str,
    entry: &Value,
    data_start: usize,
    file: usize,
) -> std::result::Result<FileTensor, String> {
    let dtype = entry.get("dtype").and_then(Value::as_str).ok_or("no dtype")?;
    let size = element_size(dtype).ok_or_else(|| format!("unknown dtype {dtype}"))?;
    let shape = entry
        .get("shape")
        .and_then(Value::as_array)
        .and_then(|dims| {
            dims.iter()
                .map(|dim| dim.as_u64().and_then(|n| usize::try_from(n).ok()))
                .collect::<Option<Vec<_>>>()
        })
        .ok_or("no shape")?;
    let offsets = entry.get("data_offsets").and_then(Value::as_array).ok_or("no data_offsets")?;
    let [from, to] = offsets.as_slice() else {
        return Err("data_offsets is not a pair".to_string());
    };
    let offset = |value: &Value| value.as_u64().and_then(|n| usize::try_from(n).ok());
    let (Some(from), Some(to)) = (offset(from), offset(to)) else {
        return Err("data_offsets are not whole numbers".to_string());
    };
    let bytes = shape
        .iter()
        .try_fold(size, |bytes, dim| bytes.checked_mul(*dim))
        .ok_or_else(|| format!("shape {shape:?} overflows"))?;
    if to < from || to - from != bytes {
        return Err(format!(
            "shape {shape:?} of {dtype} takes {bytes} bytes, data_offsets {from}..{to} do not"
        ));
    }
    let (Some(start), Some(end)) = (data_start.checked_add(from), data_start.checked_add(to))
    else {
        return Err(format!("data_offsets {from}..{to} overflow"));
    };
    if end > file {
        return Err(format!("its bytes end at {end}, the file at {file}: truncated"));
    }
    Ok(FileTensor { name: name.to_string(), dtype: dtype.to_string(), shape, start, end })
}
