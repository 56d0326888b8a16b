//! `.db3` files: the tables `topics` and `messages` of `ros2 bag` with storage `sqlite3`.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Place, Plain, RecordingError, Scan, Storage, Topic, unsupported};

struct SqliteFile {
    name: String,
    connection: Connection,
    _plain: Plain,
}

/// Scans the file at `path`, which the user knows as `name`.
pub(super) fn open(
    name: &Path,
    path: &Path,
    plain: Plain,
) -> Result<(Scan, Box<dyn Storage>), RecordingError> {
    let fault = |cause| fault(&name.display().to_string(), cause);
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).map_err(fault)?;
    let mut scan = Scan::default();
    let mut ids = Vec::new();
    let mut encodings = Vec::new();
    {
        let query = "SELECT id, name, type, serialization_format FROM topics ORDER BY id";
        let mut topics = connection.prepare(query).map_err(fault)?;
        let mut rows = topics.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            ids.push(row.get::<_, i64>(0).map_err(fault)?);
            scan.topics.push(Topic {
                name: row.get(1).map_err(fault)?,
                type_name: row.get(2).map_err(fault)?,
            });
            encodings.push(row.get::<_, String>(3).map_err(fault)?);
        }
        let query = "SELECT id, topic_id, timestamp FROM messages ORDER BY timestamp, id";
        let mut messages = connection.prepare(query).map_err(fault)?;
        let mut rows = messages.query([]).map_err(fault)?;
        while let Some(row) = rows.next().map_err(fault)? {
            let (id, topic): (i64, i64) = (row.get(0).map_err(fault)?, row.get(1).map_err(fault)?);
            let Some(index) = ids.iter().position(|known| *known == topic) else {
                return Err(unsupported(name, format!("damaged: message {id} has no topic")));
            };
            if encodings[index] != "cdr" {
                return Err(unsupported(
                    name,
                    format!(
                        "encoded as {}, not cdr ({})",
                        encodings[index], scan.topics[index].name
                    ),
                ));
            }
            let place = Place { offset: id as u64, number: 0 };
            scan.messages.push((row.get(2).map_err(fault)?, index as u32, place));
        }
    }
    let name = name.display().to_string();
    Ok((scan, Box::new(SqliteFile { name, connection, _plain: plain })))
}

impl Storage for SqliteFile {
    fn read(&mut self, place: Place) -> Result<Vec<u8>, RecordingError> {
        let read = || {
            let mut query = self.connection.prepare("SELECT data FROM messages WHERE id = ?1")?;
            query.query_row([place.offset as i64], |row| row.get(0))
        };
        read().map_err(|cause| fault(&self.name, cause))
    }
}

fn fault(path: &str, cause: rusqlite::Error) -> RecordingError {
    RecordingError::Sqlite { path: path.to_owned(), cause: Box::new(cause) }
}
