//! Input files.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::fs;
use std::io::{Read, Write};
use std::path::Path;

/// Bytes as one gzip member.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory takes everything");
    encoder.finish().expect("memory takes everything")
}

/// What a gzip file of one or more members holds.
pub(crate) fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).expect("the file is whole");
    plain
}

/// Bytes as one Zstandard frame.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::bulk::compress(bytes, 3).expect("memory takes everything")
}

/// Appends to a file.
pub(crate) fn append(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new().append(true).open(path).expect("the file is there");
    file.write_all(bytes).expect("the disk has room");
}

/// Writes a file.
pub(crate) fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}

/// A folder with all that is in it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder can be made");
    for entry in fs::read_dir(from).expect("the folder is there").flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// The regular files of a tar archive, by their names without folders.
pub(crate) fn untar(archive: &[u8]) -> Vec<(String, Vec<u8>)> {
    let (mut files, mut at) = (Vec::new(), 0);
    while archive.get(at).is_some_and(|byte| *byte != 0) {
        let header = &archive[at..at + 512];
        let text = |from: usize, len: usize| {
            let field = header[from..from + len].split(|byte| *byte == 0).next().unwrap_or_default();
            String::from_utf8_lossy(field).trim().to_owned()
        };
        let size = usize::from_str_radix(&text(124, 12), 8).expect("a size in octal digits");
        if matches!(header[156], b'0' | 0) {
            let name = text(0, 100);
            let name = name.rsplit('/').next().unwrap_or_default().to_owned();
            files.push((name, archive[at + 512..at + 512 + size].to_vec()));
        }
        at += 512 + size.div_ceil(512) * 512;
    }
    files
}
