//! Users in little memory, in the order of their ids.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;

use models::{User, UserId};

/// Users by id: one allocation each.
#[derive(Default)]
pub(super) struct Known(BTreeSet<Entry>);

/// A user as bytes: the length of the id, the id, the name. Compared by the id alone.
struct Entry(Box<[u8]>);

impl Known {
    /// Adds a user, or gives it another name; tells whether it was added.
    pub(super) fn insert(&mut self, user: User) -> bool {
        self.0.replace(Entry::new(&user)).is_none()
    }

    pub(super) fn remove(&mut self, id: &UserId) {
        self.0.remove(id.as_str().as_bytes());
    }

    pub(super) fn name(&self, id: &UserId) -> Option<String> {
        self.0.get(id.as_str().as_bytes()).map(Entry::name)
    }

    /// Users in the order of their ids, from behind this one on.
    pub(super) fn from(&self, after: Option<&UserId>) -> impl Iterator<Item = User> {
        let after = after.map(|id| id.as_str().as_bytes());
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.0.range::<[u8], _>((from, Bound::Unbounded)).filter_map(Entry::user)
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Entry {
    fn new(user: &User) -> Self {
        let (id, name) = (user.id.as_str().as_bytes(), user.name.as_bytes());
        // An id has 128 bytes at most.
        let length = u8::try_from(id.len()).unwrap_or(u8::MAX);
        Self([&[length], id, name].concat().into())
    }

    fn parts(&self) -> (&[u8], &[u8]) {
        let Some((length, rest)) = self.0.split_first() else { return (&[], &[]) };
        rest.split_at_checked(usize::from(*length)).unwrap_or((rest, &[]))
    }

    fn id(&self) -> &[u8] {
        self.parts().0
    }

    fn name(&self) -> String {
        String::from_utf8_lossy(self.parts().1).into_owned()
    }

    fn user(&self) -> Option<User> {
        let id = std::str::from_utf8(self.id()).ok()?;
        Some(User { id: id.parse().ok()?, name: self.name() })
    }
}

impl Borrow<[u8]> for Entry {
    fn borrow(&self) -> &[u8] {
        self.id()
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.id().cmp(other.id())
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for Entry {}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_map_of_names(
            changes in prop::collection::vec(
                ("[ab.]{1,3}|[a]{128}", proptest::option::of("[a-zü\0]{0,5}")), 0..50),
        ) {
            let (mut known, mut expected) = (Known::default(), BTreeMap::new());
            for (id, name) in changes {
                let id: UserId = id.parse().unwrap();
                match name {
                    Some(name) => {
                        let is_new = known.insert(User { id: id.clone(), name: name.clone() });
                        prop_assert_eq!(is_new, expected.insert(id.clone(), name).is_none());
                    }
                    None => {
                        known.remove(&id);
                        expected.remove(&id);
                    }
                }
                prop_assert_eq!(known.name(&id), expected.get(&id).cloned());
            }
            let users = |after| known.from(after).map(|it| (it.id, it.name)).collect::<Vec<_>>();
            let all: Vec<_> = expected.into_iter().collect();
            prop_assert_eq!(&users(None), &all);
            for (index, (id, _)) in all.iter().enumerate() {
                prop_assert_eq!(&users(Some(id))[..], &all[index + 1..]);
            }
        }
    }
}
