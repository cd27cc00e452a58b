//! Making a component of a rule: the macros, and the glue behind them.

use crate::{About, Aggregator, Batch, Column, Effect, Field, Finding, Kind, Rejections, Rule, Signature};
use crate::{Transformer, Validator, native};
use sluice_guest_types as wire;
use std::cell::RefCell;

/// Where an instance of a component keeps its opened rule.
#[derive(Debug, Default)]
pub struct Slot<R>(RefCell<Option<R>>);

impl<R> Slot<R> {
    /// Nothing is open.
    #[must_use]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    fn with<T>(&self, call: impl FnOnce(&mut R) -> T) -> T {
        call(self.0.borrow_mut().as_mut().expect("a rule is called only after `open` succeeded"))
    }
}

impl<R: Rule> Slot<R> {
    /// The rule about itself.
    #[must_use]
    pub fn describe<D: From<About>>(&self) -> D {
        R::ABOUT.into()
    }

    /// Opens the rule and keeps it.
    ///
    /// # Errors
    /// All findings.
    pub fn open<S: From<Signature>, F: From<Finding>>(&self, config: &str, inputs: &[Field]) -> Result<S, Vec<F>> {
        match native::open::<R>(config, inputs) {
            Ok(opened) => {
                *self.0.borrow_mut() = Some(opened.rule);
                Ok(opened.signature.into())
            }
            Err(findings) => Err(findings.into_iter().map(F::from).collect()),
        }
    }
}

impl<R: Validator> Slot<R> {
    /// `validate.check`.
    pub fn check(&self, batch: wire::Batch) -> wire::Rejections {
        let batch = received(batch);
        let mut rejections = Rejections::new();
        self.with(|rule| rule.check(&batch, &mut rejections));
        rejections.into_wire()
    }
}

impl<R: Transformer> Slot<R> {
    /// `transform.apply`.
    pub fn apply(&self, batch: wire::Batch) -> (wire::Rejections, Vec<Column>) {
        let batch = received(batch);
        let mut rejections = Rejections::new();
        let columns = self.with(|rule| rule.apply(batch, &mut rejections));
        (rejections.into_wire(), columns)
    }
}

impl<R: Aggregator> Slot<R> {
    /// `aggregate.fold`.
    pub fn fold(&self, partials: Vec<Column>, batch: wire::Batch, groups: &[u32], count: u32) -> Vec<Column> {
        let partials = received(wire::Batch { rows: count, columns: partials });
        let batch = received(batch);
        self.with(|rule| rule.fold(partials, &batch, groups))
    }

    /// `aggregate.merge`.
    pub fn merge(&self, partials: Vec<Column>, groups: &[u32], count: u32) -> Vec<Column> {
        let partials = received(wire::Batch { rows: groups.len() as u32, columns: partials });
        self.with(|rule| rule.merge(partials, groups, count as usize))
    }

    /// `aggregate.finish`.
    pub fn finish(&self, partials: Vec<Column>) -> Vec<Column> {
        let rows = partials.iter().map(Column::rows_at_most).min().unwrap_or(0) as u32;
        let partials = received(wire::Batch { rows, columns: partials });
        self.with(|rule| rule.finish(partials))
    }
}

fn received(batch: wire::Batch) -> Batch {
    // SAFETY: the host guarantees by the contract (`var-bytes`) that every row of a text column is valid UTF-8. Should
    // it break that, the harm ends at the walls of this component's own memory.
    unsafe { Batch::trusted(batch.rows as usize, batch.columns) }
}

/// The types of the interface `rule`, which each world has for itself.
macro_rules! conversions {
    ($world:ident) => {
        const _: () = {
            use $world::exports::sluice::rules::rule;

            impl From<About> for rule::Description {
                fn from(about: About) -> Self {
                    Self {
                        name: about.name.to_owned(),
                        version: about.version.to_owned(),
                        kind: match about.kind {
                            Kind::Validate => rule::Kind::Validate,
                            Kind::Redact => rule::Kind::Redact,
                            Kind::Coerce => rule::Kind::Coerce,
                            Kind::Aggregate => rule::Kind::Aggregate,
                        },
                        summary: about.summary.to_owned(),
                        config_schema: about.config_schema.to_owned(),
                    }
                }
            }

            impl From<Finding> for rule::Finding {
                fn from(finding: Finding) -> Self {
                    Self { path: finding.path, message: finding.message }
                }
            }

            impl From<crate::OutputColumn> for rule::Output {
                fn from(output: crate::OutputColumn) -> Self {
                    let effect = match output.effect {
                        Effect::Replaces => rule::Effect::Replaces,
                        Effect::Adds => rule::Effect::Adds,
                    };
                    Self { name: output.name, ty: output.ty, nullable: output.nullable, effect }
                }
            }

            impl From<Signature> for rule::Signature {
                fn from(signature: Signature) -> Self {
                    let reason = |reason: crate::Reason| rule::Reason { code: reason.code, text: reason.text };
                    Self {
                        reads: signature.reads,
                        outputs: signature.outputs.into_iter().map(Into::into).collect(),
                        reasons: signature.reasons.into_iter().map(reason).collect(),
                        partials: signature.partials,
                    }
                }
            }
        };
    };
}

conversions!(sluice_guest_validator);
conversions!(sluice_guest_transformer);
conversions!(sluice_guest_aggregator);

/// Makes the crate a component of the world `validator` when it is built for Wasm: `sluice_sdk::validator!(MyRule);`.
/// The type implements [`Validator`], and its [`Rule::ABOUT`] says `Validate`.
#[macro_export]
macro_rules! validator {
    ($rule:ty) => {
        $crate::__component!($rule, Validator, Validate, validator);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::guest::types;

            $crate::__rule!($rule, validator);

            impl $crate::guest::validator::exports::sluice::rules::validate::Guest for Component {
                fn check(batch: types::Batch) -> types::Rejections {
                    RULE.with(|rule| rule.check(batch))
                }
            }

    $crate::guest::validator::export!(Component with_types_in $crate::guest::validator);
        };
    };
}

/// Makes the crate a component of the world `transformer` when it is built for Wasm: `sluice_sdk::transformer!(MyRule);`.
/// The type implements [`Transformer`], and its [`Rule::ABOUT`] says `Redact` or `Coerce`.
#[macro_export]
macro_rules! transformer {
    ($rule:ty) => {
        $crate::__component!($rule, Transformer, Redact | Coerce, transformer);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::guest::transformer::exports::sluice::rules::transform;
            use $crate::guest::types;

            $crate::__rule!($rule, transformer);

            impl transform::Guest for Component {
                fn apply(batch: types::Batch) -> transform::Changes {
                    let (rejections, columns) = RULE.with(|rule| rule.apply(batch));
                    transform::Changes { rejections, columns }
                }
            }

    $crate::guest::transformer::export!(Component with_types_in $crate::guest::transformer);
        };
    };
}

/// Makes the crate a component of the world `aggregator` when it is built for Wasm: `sluice_sdk::aggregator!(MyRule);`.
/// The type implements [`Aggregator`], and its [`Rule::ABOUT`] says `Aggregate`.
#[macro_export]
macro_rules! aggregator {
    ($rule:ty) => {
        $crate::__component!($rule, Aggregator, Aggregate, aggregator);
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            use $crate::guest::types::{Batch, Column};

            $crate::__rule!($rule, aggregator);

            impl $crate::guest::aggregator::exports::sluice::rules::aggregate::Guest for Component {
                fn fold(
                    partials: ::std::vec::Vec<Column>,
                    batch: Batch,
                    groups: ::std::vec::Vec<u32>,
                    count: u32,
                ) -> ::std::vec::Vec<Column> {
                    RULE.with(|rule| rule.fold(partials, batch, &groups, count))
                }

                fn merge(
                    partials: ::std::vec::Vec<Column>,
                    groups: ::std::vec::Vec<u32>,
                    count: u32,
                ) -> ::std::vec::Vec<Column> {
                    RULE.with(|rule| rule.merge(partials, &groups, count))
                }

                fn finish(partials: ::std::vec::Vec<Column>) -> ::std::vec::Vec<Column> {
                    RULE.with(|rule| rule.finish(partials))
                }
            }

    $crate::guest::aggregator::export!(Component with_types_in $crate::guest::aggregator);
        };
    };
}

/// What must hold of a rule on every target.
#[doc(hidden)]
#[macro_export]
macro_rules! __component {
    ($rule:ty, $trait:ident, $($kind:ident)|+, $world:ident) => {
        const _: () = {
            const fn implements<R: $crate::$trait>() {}
            implements::<$rule>();
            assert!(
                matches!(<$rule as $crate::Rule>::ABOUT.kind, $($crate::Kind::$kind)|+),
                concat!("the kind that `ABOUT` gives is not one of the world `", stringify!($world), "`")
            );
        };
    };
}

/// The interface `rule`, which every world exports.
#[doc(hidden)]
#[macro_export]
macro_rules! __rule {
    ($rule:ty, $world:ident) => {
        use $crate::guest::$world::exports::sluice::rules::rule as contract;

        struct Component;

        ::std::thread_local! {
            static RULE: $crate::guest::Slot<$rule> = const { $crate::guest::Slot::new() };
        }

        impl contract::Guest for Component {
            fn describe() -> contract::Description {
                RULE.with(|rule| rule.describe())
            }

            fn open(
                config: ::std::string::String,
                inputs: ::std::vec::Vec<$crate::Field>,
            ) -> ::core::result::Result<contract::Signature, ::std::vec::Vec<contract::Finding>> {
                RULE.with(|rule| rule.open(&config, &inputs))
            }
        }
    };
}
