//! Which columns of a data set make up state, action and cameras.

use f1_robot::Circles;

use super::{ACTION, DataError, STATE};

/// Part of a vector column: all of it, or a range of its dimensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnSlice {
    /// Column name.
    pub column: String,
    /// First and end dimension; all of them when `None`.
    pub range: Option<(usize, usize)>,
}

impl ColumnSlice {
    /// Reads `name` or `name[from:to]`.
    ///
    /// # Errors
    /// When the range is not two growing numbers.
    pub fn parse(text: &str) -> Result<Self, DataError> {
        let Some((column, range)) = text.strip_suffix(']').and_then(|text| text.split_once('['))
        else {
            return Ok(Self { column: text.to_owned(), range: None });
        };
        let numbers = range
            .split_once(':')
            .and_then(|(from, to)| Some((from.parse().ok()?, to.parse().ok()?)));
        match numbers {
            Some((from, to)) if from < to => {
                Ok(Self { column: column.to_owned(), range: Some((from, to)) })
            }
            _ => Err(DataError::Usage(format!(
                "`{text}` is not a column or a column with a range such as name[0:7]"
            ))),
        }
    }
}

/// Which columns make up state, action and cameras: slices are joined in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    /// The state's parts.
    pub state: Vec<ColumnSlice>,
    /// The action's parts.
    pub action: Vec<ColumnSlice>,
    /// Cameras to read.
    pub cameras: Vec<String>,
    /// Entries that are angles of joints that turn without end: they are brought to the turn that
    /// the live policy has them on.
    pub circles: Option<Circles>,
}

impl Columns {
    /// `observation.state`, `action` and these cameras.
    #[must_use]
    pub fn usual(cameras: &[String]) -> Self {
        let whole = |name: &str| vec![ColumnSlice { column: name.to_owned(), range: None }];
        Self {
            state: whole(STATE),
            action: whole(ACTION),
            cameras: cameras.to_vec(),
            circles: None,
        }
    }
}
