//! `derive(Output)`.

use crate::attributes::{self, Field};
use proc_macro2::TokenStream;
use quote::quote;
use syn::punctuated::Punctuated;
use syn::{DeriveInput, Error, Index, LitInt, Result, Token};

pub(crate) fn expand(input: &DeriveInput) -> Result<TokenStream> {
    let fields = attributes::fields(input, "Output")?;
    let name = &input.ident;
    let lifetime = attributes::lifetime(input)?;
    let generics = lifetime.map(|lifetime| quote!(<#lifetime>));
    let row = lifetime.map(|_| quote!(<'__row>));

    let decimals = fields.iter().map(decimal).collect::<Result<Vec<_>>>()?;
    let types: Vec<_> = fields.iter().map(|field| field.ty).collect();
    let idents: Vec<_> = fields.iter().map(|field| field.ident).collect();
    let columns: Vec<_> = fields.iter().map(|field| &field.column).collect();
    let index: Vec<_> = (0..fields.len()).map(Index::from).collect();
    Ok(quote! {
        const _: () = {
            use ::sluice_sdk::output::{Output, OutputCell};

            impl #generics Output for #name #generics {
                type Builders = (#(<#types as OutputCell>::Builder,)*);
                type Row<'__row> = #name #row;

                fn declare(setup: &mut ::sluice_sdk::Setup<'_>) {
                    #(<#types as OutputCell>::declare(setup, #columns, #decimals);)*
                }

                fn builders(rows: usize) -> Self::Builders {
                    (#(<#types as OutputCell>::builder(rows, #decimals),)*)
                }

                #[inline(always)]
                fn push(row: Self::Row<'_>, builders: &mut Self::Builders) {
                    #(OutputCell::push(row.#idents, &mut builders.#index);)*
                }

                #[inline]
                fn push_nothing(builders: &mut Self::Builders) {
                    #(<#types as OutputCell>::push_nothing(&mut builders.#index);)*
                }

                fn finish(builders: Self::Builders) -> ::std::vec::Vec<::sluice_sdk::Column> {
                    ::std::vec![#(<#types as OutputCell>::finish(builders.#index)),*]
                }
            }
        };
    })
}

/// Precision and scale of `#[decimal(18, 2)]`, as an `Option<DecimalType>`.
fn decimal(field: &Field<'_>) -> Result<TokenStream> {
    let Some(attribute) = field.attributes.iter().find(|attribute| attribute.path().is_ident("decimal")) else {
        return Ok(quote!(::core::option::Option::None));
    };
    let numbers = attribute.parse_args_with(Punctuated::<LitInt, Token![,]>::parse_terminated)?;
    let numbers = numbers.iter().map(LitInt::base10_parse::<u8>).collect::<Result<Vec<_>>>()?;
    let [precision, scale] = numbers[..] else {
        return Err(Error::new_spanned(attribute, "`#[decimal(precision, scale)]` takes two numbers"));
    };
    if !(1..=38).contains(&precision) || scale > precision {
        return Err(Error::new_spanned(attribute, "precision is 1 to 38, and scale at most the precision"));
    }
    Ok(quote!(::core::option::Option::Some(::sluice_sdk::DecimalType { precision: #precision, scale: #scale })))
}
