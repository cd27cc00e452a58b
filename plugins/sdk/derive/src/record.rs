//! `derive(Record)`.

use crate::attributes::{self, Field};
use proc_macro2::TokenStream;
use quote::quote;
use syn::{DeriveInput, Index, Lifetime, Result};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = attributes::fields(input, "Record")?;
    let name = &input.ident;
    let lifetime = attributes::lifetime(input)?;
    let generics = lifetime.map(|lifetime| quote!(<#lifetime>));
    let row = lifetime.map(|_| quote!(<'__row>));

    let infos = fields.iter().map(info).collect::<Result<Vec<_>>>()?;
    let types: Vec<_> = fields.iter().map(|field| field.ty).collect();
    let idents: Vec<_> = fields.iter().map(|field| field.ident).collect();
    let columns: Vec<_> = fields.iter().map(|field| &field.column).collect();
    let index: Vec<_> = (0..fields.len()).map(Index::from).collect();
    let outer = lifetime.map_or_else(|| quote!(#name), |lifetime: &Lifetime| quote!(#name<#lifetime>));
    Ok(quote! {
        const _: () = {
            use ::sluice_sdk::record::{Cell, Record, RecordField};

            impl #generics Record for #outer {
                type Columns = (#(<#types as Cell>::Column,)*);
                type View<'__row> = (#(<#types as Cell>::View<'__row>,)*);
                type Row<'__row> = #name #row;

                const FIELDS: &'static [RecordField] = &[#(#infos),*];

                fn bind(setup: &mut ::sluice_sdk::Setup<'_>) -> ::core::option::Option<Self::Columns> {
                    let columns = (#(<#types as Cell>::bind(setup, #columns),)*);
                    ::core::option::Option::Some((#(columns.#index?,)*))
                }

                #[inline]
                fn view<'__row>(columns: &Self::Columns, batch: &'__row ::sluice_sdk::Batch) -> Self::View<'__row> {
                    (#(<#types as Cell>::view(columns.#index, batch),)*)
                }

                #[inline(always)]
                fn row<'__row>(
                    view: &Self::View<'__row>,
                    row: usize,
                ) -> ::core::result::Result<#name #row, usize> {
                    ::core::result::Result::Ok(#name {
                        #(#idents: match <#types as Cell>::get(&view.#index, row) {
                            ::core::option::Option::Some(value) => value,
                            ::core::option::Option::None => return ::core::result::Result::Err(#index),
                        },)*
                    })
                }

                #[inline(always)]
                fn shorten<'__short, '__row: '__short>(
                    row: &'__short Self::Row<'__row>,
                ) -> &'__short Self::Row<'__short> {
                    row
                }
            }
        };
    })
}

fn info(field: &Field<'_>) -> Result<TokenStream> {
    let (column, ty) = (&field.column, field.ty);
    let missing = match attributes::text(field.attributes, "missing")? {
        Some(code) => code.value(),
        None => code(&field.column) + "_missing",
    };
    Ok(quote!(RecordField { column: #column, missing: #missing, required: <#ty as Cell>::REQUIRED }))
}

/// A column's name as part of a reason code.
fn code(column: &str) -> String {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    column.chars().map(|c| c.to_ascii_lowercase()).map(|c| if fits(c) { c } else { '_' }).collect()
}
