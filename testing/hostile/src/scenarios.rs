mod frames;
mod members;
mod newcomers;
mod server;

/// An attack, and what becomes of it.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// What it is called.
    pub name: &'static str,
    /// The invariant that it tries to break: I1 to I10.
    pub invariant: &'static str,
    /// Panics if the attack gains anything, or is not noticed as it should be.
    pub run: fn(),
}

/// All of them.
pub const SCENARIOS: &[&[Scenario]] =
    &[server::SCENARIOS, members::SCENARIOS, newcomers::SCENARIOS, frames::SCENARIOS];

/// Lists functions as scenarios under their names.
macro_rules! scenarios {
    ($($invariant:literal: $($name:ident),+;)+) => {
        pub(crate) const SCENARIOS: &[crate::scenarios::Scenario] = &[
            $($(crate::scenarios::Scenario {
                name: stringify!($name),
                invariant: $invariant,
                run: $name,
            },)+)+
        ];
    };
}
use scenarios;
