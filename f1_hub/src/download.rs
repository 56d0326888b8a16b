//! One file: it goes on where an earlier download ended, and is put in place when its checksum is
//! right.

use std::fs::{self, File};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use ureq::http::{StatusCode, header};

use crate::cache::{RepoCache, make_folder_of};
use crate::client::{Client, connection};
use crate::{Digest, HubError, HubName, RemoteFile};

/// Bytes read at once.
const BLOCK: usize = 1 << 20;

/// How a download goes.
pub(crate) enum News {
    /// So many bytes of the file are there.
    At(u64),
    /// Something that a person should know.
    Said(String),
}

/// The checksum of what has been written so far.
enum Sum {
    Sha256(Sha256),
    Git(Sha1),
}

impl Sum {
    fn new(file: &RemoteFile) -> Self {
        match file.digest {
            Digest::Sha256(_) => Self::Sha256(Sha256::new()),
            Digest::Git(_) => {
                Self::Git(Sha1::new_with_prefix(format!("blob {}\0", file.size).as_bytes()))
            }
        }
    }

    fn add(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(sum) => sum.update(bytes),
            Self::Git(sum) => sum.update(bytes),
        }
    }

    fn hex(self) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Sha256(sum) => hex(&sum.finalize()),
            Self::Git(sum) => hex(&sum.finalize()),
        }
    }
}

/// A file while it is fetched.
struct Partial<'a> {
    remote: &'a RemoteFile,
    path: &'a Path,
    file: File,
    sum: Sum,
    /// Bytes that are written and summed.
    length: u64,
}

impl<'a> Partial<'a> {
    /// Opens what an earlier download has left, and sums it up.
    fn open(remote: &'a RemoteFile, path: &'a Path) -> Result<Self, HubError> {
        make_folder_of(path)?;
        let file = File::options().create(true).truncate(false).read(true).write(true).open(path);
        let file = file.map_err(HubError::io(path))?;
        let mut partial = Self { remote, path, file, sum: Sum::new(remote), length: 0 };
        let mut block = vec![0; BLOCK];
        loop {
            let read = partial.file.read(&mut block).map_err(HubError::io(path))?;
            if read == 0 {
                break;
            }
            partial.sum.add(&block[..read]);
            partial.length += read as u64;
        }
        if partial.length > remote.size {
            partial.restart()?;
        }
        Ok(partial)
    }

    /// Forgets what has come.
    fn restart(&mut self) -> Result<(), HubError> {
        self.file.set_len(0).map_err(HubError::io(self.path))?;
        self.file.seek(SeekFrom::Start(0)).map_err(HubError::io(self.path))?;
        self.sum = Sum::new(self.remote);
        self.length = 0;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        // A write that fails half way leaves bytes that are not summed: they are cut off.
        if let Err(source) = self.file.write_all(bytes) {
            let _ = self.file.set_len(self.length);
            return Err(HubError::io(self.path)(source));
        }
        self.sum.add(bytes);
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Reads one answer to its end or to a fault of the connection.
    fn take(
        &mut self,
        client: &Client,
        name: &HubName,
        commit: &str,
        hear: &mut dyn FnMut(News),
    ) -> Result<(), HubError> {
        let path = &self.remote.path;
        let answer = client.open(name, commit, path, self.length)?;
        if self.length > 0 && !continues(&answer, self.length) {
            self.restart()?;
            hear(News::At(0));
        }
        // The whole file is taken in place of a part; any other part is of no use.
        if answer.status() != StatusCode::OK && self.length == 0 {
            return Err(connection(path, &"the server does not have the part that was asked for"));
        }
        let mut body = answer.into_body().into_reader();
        let mut block = vec![0; BLOCK];
        while self.length < self.remote.size {
            let read = body.read(&mut block).map_err(|error| connection(path, &error))?;
            if read == 0 {
                return Err(connection(path, &"the connection ended before the file did"));
            }
            let left = usize::try_from(self.remote.size - self.length).unwrap_or(usize::MAX);
            self.write(&block[..read.min(left)])?;
            hear(News::At(self.length));
        }
        Ok(())
    }
}

/// Whether an answer begins at this byte of the file.
fn continues<B>(answer: &ureq::http::Response<B>, from: u64) -> bool {
    let range = answer.headers().get(header::CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let begins = |range: &str| range.trim().starts_with(&format!("bytes {from}-"));
    answer.status() == StatusCode::PARTIAL_CONTENT && range.is_some_and(begins)
}

/// Fetches a file into the cache; `hear` receives how many of its bytes are there.
///
/// # Errors
/// The connection broke too often, another checksum, a full disk, a refusal.
pub(crate) fn fetch(
    client: &Client,
    cache: &RepoCache,
    (name, commit): (&HubName, &str),
    remote: &RemoteFile,
    hear: &mut dyn FnMut(News),
) -> Result<(), HubError> {
    let blob = cache.blob(&remote.digest);
    if !is_whole(&blob, remote.size) {
        let text = format!("{}: another process fetches it: waiting", remote.path);
        let mut waiting = || hear(News::Said(text.clone()));
        let _lock = cache.lock(&remote.digest, &mut waiting)?;
        // It may have come meanwhile.
        if !is_whole(&blob, remote.size) {
            download(client, cache, (name, commit), remote, hear)?;
        }
    }
    hear(News::At(remote.size));
    cache.link(commit, &remote.path, &remote.digest)
}

fn download(
    client: &Client,
    cache: &RepoCache,
    (name, commit): (&HubName, &str),
    remote: &RemoteFile,
    hear: &mut dyn FnMut(News),
) -> Result<(), HubError> {
    let path = cache.incomplete(&remote.digest);
    let mut partial = Partial::open(remote, &path)?;
    if partial.length > 0 {
        hear(News::At(partial.length));
    }
    let mut failed = 0;
    while partial.length < remote.size {
        let before = partial.length;
        match partial.take(client, name, commit, hear) {
            Ok(()) => {}
            Err(HubError::Connection { what, url }) => {
                // An attempt that brought something does not count.
                failed = if partial.length > before { 1 } else { failed + 1 };
                if failed >= client.settings.attempts {
                    return Err(HubError::Connection { url, what });
                }
                let (file, at) = (&remote.path, partial.length);
                hear(News::Said(format!("{file}: {what}: going on at byte {at}")));
                std::thread::sleep(client.settings.pause * 2u32.pow(failed - 1));
            }
            Err(error) => return Err(error),
        }
    }
    let Partial { file, sum, .. } = partial;
    let found = sum.hex();
    if found != remote.digest.hex() {
        fs::remove_file(&path).map_err(HubError::io(&path))?;
        let (file, expected) = (remote.path.clone(), remote.digest.hex().to_owned());
        return Err(HubError::Checksum { file, expected, found });
    }
    file.sync_all().map_err(HubError::io(&path))?;
    let blob = cache.blob(&remote.digest);
    fs::rename(&path, &blob).map_err(HubError::io(blob))
}

/// Whether a file of this size is there: it was summed before it got its name.
pub(crate) fn is_whole(blob: &Path, size: u64) -> bool {
    fs::metadata(blob).is_ok_and(|found| found.is_file() && found.len() == size)
}
