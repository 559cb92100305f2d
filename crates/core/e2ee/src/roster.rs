use std::collections::BTreeMap;
use std::time::Duration;

use conclave_commit_rules::{CredentialId, LeafView, Order, Role};

/// A member as the group's tree has them, never as the server says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Person {
    /// Their leaf.
    pub leaf: u32,
    /// Who.
    pub credential: CredentialId,
    /// Their name.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// How it was proved who they are.
    pub proof: Proof,
    /// Whether another member has the same name.
    pub name_shared: bool,
    /// When this device saw them come; nothing if they were there before.
    pub arrived: Option<Duration>,
    /// The server or an admitter wants them out, and no commit has done it yet: they still have the
    /// keys.
    pub leaving: bool,
    /// Whether it is this device.
    pub is_self: bool,
}

/// How it was proved who someone is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Proof {
    /// By the host key: it is who made the meeting, under a name of their own choice.
    HostKey,
    /// Not at all: they hold the link, and the name is their own word.
    LinkOnly,
}

/// The members, read from the tree once per epoch.
#[derive(Default)]
pub(crate) struct Roster {
    people: BTreeMap<u32, Person>,
    arrivals: BTreeMap<CredentialId, Option<Duration>>,
}

impl Roster {
    /// Reads it anew. Whoever is new arrived at `now`, if this device was there before them.
    pub(crate) fn read(
        &mut self,
        now: Option<Duration>,
        own: u32,
        leaves: &BTreeMap<u32, LeafView>,
        order: &Order,
        name: impl Fn(&LeafView) -> String,
    ) {
        let is_there = |id: &CredentialId| leaves.values().any(|leaf| leaf.credential == *id);
        self.arrivals.retain(|id, _| is_there(id));
        let mut people = BTreeMap::new();
        for (&index, leaf) in leaves {
            let arrived = *self.arrivals.entry(leaf.credential).or_insert(now);
            let known = self.people.get(&index).filter(|old| old.credential == leaf.credential);
            let role = if leaf.host_proven { Role::Host } else { order.role_of(&leaf.credential) };
            people.insert(
                index,
                Person {
                    leaf: index,
                    credential: leaf.credential,
                    name: known.map_or_else(|| name(leaf), |old| old.name.clone()),
                    role,
                    proof: if leaf.host_proven { Proof::HostKey } else { Proof::LinkOnly },
                    name_shared: false,
                    arrived,
                    leaving: false,
                    is_self: index == own,
                },
            );
        }
        let mut names = BTreeMap::<String, u32>::new();
        for person in people.values() {
            *names.entry(person.name.to_lowercase()).or_default() += 1;
        }
        for person in people.values_mut() {
            person.name_shared =
                names.get(&person.name.to_lowercase()).is_some_and(|&count| count > 1);
        }
        self.people = people;
    }

    pub(crate) fn mark_leaving(&mut self, leaf: u32) {
        if let Some(person) = self.people.get_mut(&leaf) {
            person.leaving = true;
        }
    }

    pub(crate) const fn people(&self) -> &BTreeMap<u32, Person> {
        &self.people
    }

    pub(crate) fn len(&self) -> usize {
        self.people.len()
    }

    pub(crate) fn find(&self, credential: &CredentialId) -> Option<&Person> {
        self.people.values().find(|person| person.credential == *credential)
    }

    pub(crate) fn is_taken(&self, name: &str) -> bool {
        self.people.values().any(|person| person.name.to_lowercase() == name.to_lowercase())
    }

    /// The leaves of those who may admit.
    pub(crate) fn admitters(&self) -> impl Iterator<Item = u32> + '_ {
        self.people.values().filter(|person| person.role >= Role::Admitter).map(|p| p.leaf)
    }
}
