//! Where the files come from.

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};

/// All of them, below `../shared`.
pub(crate) const ARCHIVE: &str = "data/wasm/wasm_smith_modules_dev.tar.gz";

pub(crate) struct File {
    pub(crate) name: String,
    pub(crate) bytes: Vec<u8>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The sample that lies in this repository.
pub(crate) fn sample() -> Vec<File> {
    let folder = root().join("tests/wasm");
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<File> = paths
        .filter(|path| path.extension().is_some_and(|extension| extension == "wasm"))
        .map(|path| File { name: path.display().to_string(), bytes: std::fs::read(&path).unwrap() })
        .collect();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    files
}

/// All files of the archive; `None` where it is not there.
pub(crate) fn all() -> Option<Vec<File>> {
    let packed = std::fs::read(root().join("../shared").join(ARCHIVE)).ok()?;
    let mut tar = Vec::new();
    GzDecoder::new(&packed[..]).read_to_end(&mut tar).unwrap();
    let mut files = Vec::new();
    // a header of 512 bytes, the content, zeros up to the next block
    let mut rest = &tar[..];
    while let Some((header, after)) = rest.split_at_checked(512).filter(|(header, _)| header[0] != 0) {
        let field = |from: usize, length: usize| {
            let bytes = header[from..from + length].split(|byte| *byte == 0).next().unwrap();
            std::str::from_utf8(bytes).unwrap().trim()
        };
        let size = usize::from_str_radix(field(124, 12), 8).unwrap();
        let (is_file, name) = (matches!(header[156], 0 | b'0'), field(0, 100));
        if is_file && name.ends_with(".wasm") {
            files.push(File { name: name.to_owned(), bytes: after[..size].to_vec() });
        }
        rest = &after[size.next_multiple_of(512)..];
    }
    Some(files)
}
