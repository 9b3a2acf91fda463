//! The simulator's ledger as a file: one JSON line per entry, appended and flushed to the disk
//! before anybody hears of it. It survives the engine being killed, as a real provider would.
//!
//! A kill may leave a last line without its end. Nobody was told of it, so it never happened: it is
//! cut off. A damaged line anywhere else is an error, never skipped. Every look takes the file's
//! lock and reads on from where it stopped, so several processes on one machine may share a ledger
//! as they would share a provider.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use super::book::{Book, Entry};

/// Why the ledger cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file cannot be read or written.
    #[error("the simulator's ledger {} cannot be used", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A whole line is not an entry.
    #[error("the simulator's ledger {} is damaged at byte {offset}", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// Where the line starts.
        offset: u64,
        /// Why.
        source: serde_json::Error,
    },
    /// Entries that were there are gone.
    #[error("the simulator's ledger {} lost entries that were written", path.display())]
    Shrunk {
        /// Which file.
        path: PathBuf,
    },
}

/// The file and what was read of it.
#[derive(Debug)]
pub(super) struct Ledger {
    path: PathBuf,
    file: File,
    /// The end of the last whole line that was taken in.
    read_to: u64,
    book: Book,
}

impl Ledger {
    /// Opens the file, makes it when there is none, and reads it.
    pub(super) fn open(path: &Path) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::File { path: path.to_owned(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        // The file's name has to survive as well as its lines.
        if let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(directory).and_then(|it| it.sync_all()).map_err(failed)?;
        }
        let mut ledger = Self { path: path.to_owned(), file, read_to: 0, book: Book::default() };
        ledger.read(|_book| ())?;
        Ok(ledger)
    }

    /// Looks at everything that was written, by whomever.
    pub(super) fn read<T>(&mut self, look: impl FnOnce(&Book) -> T) -> Result<T, LedgerError> {
        self.settle(|book| (None, look(book)))
    }

    /// Judges on everything that was written, and writes the entry that follows, if one does. When
    /// this returns, the entry is on the disk.
    pub(super) fn settle<T>(
        &mut self,
        judge: impl FnOnce(&Book) -> (Option<Entry>, T),
    ) -> Result<T, LedgerError> {
        self.file.lock().map_err(|source| self.failed(source))?;
        let settled = self.settle_locked(judge);
        self.file.unlock().map_err(|source| self.failed(source))?;
        settled
    }

    fn settle_locked<T>(
        &mut self,
        judge: impl FnOnce(&Book) -> (Option<Entry>, T),
    ) -> Result<T, LedgerError> {
        self.catch_up()?;
        let (entry, answer) = judge(&self.book);
        if let Some(entry) = entry {
            self.append(entry)?;
        }
        Ok(answer)
    }

    fn catch_up(&mut self) -> Result<(), LedgerError> {
        let length = self.file.metadata().map_err(|source| self.failed(source))?.len();
        if length < self.read_to {
            return Err(LedgerError::Shrunk { path: self.path.clone() });
        }
        if length == self.read_to {
            return Ok(());
        }
        let mut unread = Vec::new();
        self.file
            .seek(SeekFrom::Start(self.read_to))
            .and_then(|_| self.file.read_to_end(&mut unread))
            .map_err(|source| self.failed(source))?;
        for line in unread.split_inclusive(|byte| *byte == b'\n') {
            if !line.ends_with(b"\n") {
                // Whoever was writing this is gone: it would hold the lock otherwise.
                return self.cut();
            }
            let entry = serde_json::from_slice(line).map_err(|source| LedgerError::Damaged {
                path: self.path.clone(),
                offset: self.read_to,
                source,
            })?;
            self.book.enter(entry);
            self.read_to = self.read_to.saturating_add(length_of(line));
        }
        Ok(())
    }

    /// Cuts off what follows the last whole line.
    fn cut(&self) -> Result<(), LedgerError> {
        self.file
            .set_len(self.read_to)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| self.failed(source))
    }

    fn append(&mut self, entry: Entry) -> Result<(), LedgerError> {
        let mut line = serde_json::to_vec(&entry)
            .map_err(|source| self.failed(io::Error::new(io::ErrorKind::InvalidData, source)))?;
        line.push(b'\n');
        // When this fails half-way, the next look finds either a torn line, which it cuts off, or a
        // whole one: then the request had its effect, and only the answer was lost.
        self.file
            .seek(SeekFrom::Start(self.read_to))
            .and_then(|_| self.file.write_all(&line))
            .and_then(|()| self.file.sync_data())
            .map_err(|source| self.failed(source))?;
        self.book.enter(entry);
        self.read_to = self.read_to.saturating_add(length_of(&line));
        Ok(())
    }

    fn failed(&self, source: io::Error) -> LedgerError {
        LedgerError::File { path: self.path.clone(), source }
    }
}

fn length_of(line: &[u8]) -> u64 {
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}

/// Makes the directory that the ledger lies in.
pub(super) fn make_directory(directory: &Path) -> Result<(), LedgerError> {
    fs::create_dir_all(directory)
        .map_err(|source| LedgerError::File { path: directory.to_owned(), source })
}
