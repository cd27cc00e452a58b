//! A core module made into a component.
//!
//! Which world a module is for is told by the names of its functions (`sluice:rules/validate@0.1.0#check`), and how
//! they are to be called by the `wit/` that this host was built with. What bindings generators leave in the module
//! about its world is a stranger's, and dropped unread: it can be made so that reading it overflows the host's stack.

use crate::binary::Binary;
use crate::text::clean_line;
use std::sync::OnceLock;
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve};

pub(crate) const CONTRACT: &str = include_str!("../../../wit/rules.wit");

/// The custom section that is kept: with it a trap can name its function.
const NAMES: &str = "name";

/// Makes a component of a core module. Its text is taken to be UTF-8.
///
/// # Errors
/// It exports no function of the contract, imports what no manifest can grant, or its functions are not as the contract
/// has them.
pub(crate) fn encode(module: &[u8], binary: &Binary) -> Result<Vec<u8>, String> {
    binary.check_imports()?;
    let world = binary.world()?;
    let refused = |error: &dyn std::fmt::Display| {
        format!("no component can be made of it: {}", clean_line(&format!("{error:#}"), 500))
    };
    let mut module = without_custom_sections(module).map_err(|error| refused(&error))?;
    let (contract, package) = contract();
    let world = contract.select_world(&[*package], Some(&world.to_string())).map_err(|error| refused(&error))?;
    embed_component_metadata(&mut module, contract, world, StringEncoding::UTF8, false)
        .map_err(|error| refused(&error))?;
    let encoded = ComponentEncoder::default().module(&module).and_then(|encoder| encoder.encode());
    encoded.map_err(|error| refused(&error))
}

fn contract() -> &'static (Resolve, PackageId) {
    static CONTRACT_PARSED: OnceLock<(Resolve, PackageId)> = OnceLock::new();
    CONTRACT_PARSED.get_or_init(|| {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("rules.wit", CONTRACT).expect("the contract is tested to be well-formed");
        (resolve, package)
    })
}

fn without_custom_sections(module: &[u8]) -> wasmparser::Result<Vec<u8>> {
    let mut kept = Vec::with_capacity(module.len());
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload?;
        match &payload {
            Payload::Version { range, .. } => kept.extend_from_slice(&module[range.start as usize..range.end as usize]),
            Payload::CustomSection(section) if section.name() != NAMES => {}
            _ => {
                if let Some((id, range)) = payload.as_section() {
                    let contents = &module[range.start as usize..range.end as usize];
                    kept.push(id);
                    push_leb128(&mut kept, contents.len());
                    kept.extend_from_slice(contents);
                }
            }
        }
    }
    Ok(kept)
}

fn push_leb128(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_has_the_three_worlds_under_their_names() {
        let (contract, package) = contract();
        for world in ["validator", "transformer", "aggregator"] {
            assert!(contract.select_world(&[*package], Some(world)).is_ok(), "{world}");
        }
    }

    #[test]
    fn only_the_names_are_kept_of_custom_sections() {
        let mut module = wat::parse_str("(module $m (func $f (export \"f\")) (@custom \"secret\" \"text\"))").unwrap();
        module.extend([0, 200, 1, 4]);
        module.extend(b"long");
        module.extend([7; 195]);
        let kept = without_custom_sections(&module).unwrap();
        let names = Parser::new(0).parse_all(&kept).filter_map(|payload| match payload.unwrap() {
            Payload::CustomSection(section) => Some(section.name().to_owned()),
            _ => None,
        });
        assert_eq!(names.collect::<Vec<_>>(), ["name"]);
        assert_eq!(Binary::read(&kept).unwrap(), Binary::read(&module).unwrap());
    }
}
