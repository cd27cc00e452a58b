//! A module whose every function is exported. Generators export few of the functions that they make.

use wasmparser::{Parser, Payload, TypeRef};

/// Sections that come after the exports: start, elements, their like.
const AFTER_EXPORTS: [u8; 5] = [8, 9, 12, 10, 11];

/// The module with other exports: each function under its number. `None` where it is none.
pub(crate) fn opened(module: &[u8]) -> Option<Vec<u8>> {
    let mut exports = Some(section(7, &exports(functions(module)?)));
    let mut opened = module[..8].to_vec();
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.ok()?;
        let Some((id, range)) = payload.as_section() else { continue };
        if AFTER_EXPORTS.contains(&id) {
            opened.extend(exports.take().unwrap_or_default());
        }
        if id != 0 && id != 7 {
            opened.extend(section(id, &module[range.start as usize..range.end as usize]));
        }
    }
    opened.extend(exports.unwrap_or_default());
    Some(opened)
}

/// How many functions there are, imported ones among them.
fn functions(module: &[u8]) -> Option<u32> {
    let mut functions = 0;
    for payload in Parser::new(0).parse_all(module) {
        match payload.ok()? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    functions += u32::from(matches!(import.ok()?.ty, TypeRef::Func(_)));
                }
            }
            Payload::FunctionSection(section) => functions += section.count(),
            _ => {}
        }
    }
    Some(functions)
}

fn exports(functions: u32) -> Vec<u8> {
    let mut bytes = leb128(functions as usize);
    for function in 0..functions {
        let name = function.to_string();
        bytes.extend([&leb128(name.len())[..], name.as_bytes(), &[0], &leb128(function as usize)].concat());
    }
    bytes
}

fn section(id: u8, bytes: &[u8]) -> Vec<u8> {
    [&[id], &leb128(bytes.len())[..], bytes].concat()
}

fn leb128(mut number: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
