//! How the body of each request is laid out, for [`Walk`]: field by field as in the protocol's schema.

use crate::shape::{Step, Walk};

pub(crate) fn api_versions(walk: &mut Walk<'_>) -> Step {
    if walk.version >= 3 {
        walk.string()?; // client software name
        walk.string()?; // and its version
    }
    walk.tags()
}

pub(crate) fn produce(walk: &mut Walk<'_>) -> Step {
    walk.string()?; // transactional id
    walk.skip(2 + 4)?; // acks, timeout
    walk.array(|topic| {
        topic.string()?;
        topic.array(|partition| {
            partition.skip(4)?; // index
            partition.bytes()?; // records
            partition.tags()
        })?;
        topic.tags()
    })?;
    walk.tags()
}

pub(crate) fn fetch(walk: &mut Walk<'_>) -> Step {
    walk.skip(4 + 4 + 4 + 4 + 1)?; // replica, wait, least and most bytes, isolation
    walk.skip_since(7, 4 + 4)?; // session id, session epoch
    walk.array(|topic| {
        topic.string()?;
        topic.array(|partition| {
            partition.skip(4)?; // index
            partition.skip_since(9, 4)?; // leader epoch
            partition.skip(8)?; // offset
            partition.skip_since(12, 4)?; // last fetched epoch
            partition.skip_since(5, 8)?; // log start offset
            partition.skip(4)?; // most bytes
            partition.tags()
        })?;
        topic.tags()
    })?;
    if walk.version >= 7 {
        walk.array(|forgotten| {
            forgotten.string()?;
            forgotten.array(|index| index.skip(4))?;
            forgotten.tags()
        })?;
    }
    if walk.version >= 11 {
        walk.string()?; // rack
    }
    walk.tags()
}

pub(crate) fn list_offsets(walk: &mut Walk<'_>) -> Step {
    walk.skip(4)?; // replica
    walk.skip_since(2, 1)?; // isolation
    walk.array(|topic| {
        topic.string()?;
        topic.array(|partition| {
            partition.skip(4)?; // index
            partition.skip_since(4, 4)?; // leader epoch
            partition.skip(8)?; // timestamp
            partition.tags()
        })?;
        topic.tags()
    })?;
    walk.tags()
}

pub(crate) fn metadata(walk: &mut Walk<'_>) -> Step {
    walk.array(|topic| {
        topic.skip_since(10, 16)?; // id
        topic.string()?;
        topic.tags()
    })?;
    walk.skip_since(4, 1)?; // auto creation
    if walk.version <= 10 {
        walk.skip_since(8, 1)?; // cluster operations
    }
    walk.skip_since(8, 1)?; // topic operations
    walk.tags()
}

pub(crate) fn offset_commit(walk: &mut Walk<'_>) -> Step {
    walk.string()?; // group
    walk.skip(4)?; // generation
    walk.string()?; // member
    if walk.version >= 7 {
        walk.string()?; // group instance
    }
    if walk.version <= 4 {
        walk.skip(8)?; // retention time
    }
    walk.array(|topic| {
        topic.string()?;
        topic.array(|partition| {
            partition.skip(4 + 8)?; // index, offset
            partition.skip_since(6, 4)?; // leader epoch
            partition.string()?; // metadata
            partition.tags()
        })?;
        topic.tags()
    })?;
    walk.tags()
}

pub(crate) fn offset_fetch(walk: &mut Walk<'_>) -> Step {
    if walk.version >= 8 {
        walk.array(|group| {
            group.string()?;
            if group.version >= 9 {
                group.string()?; // member
                group.skip(4)?; // its epoch
            }
            group.array(offset_fetch_topic)?;
            group.tags()
        })?;
    } else {
        walk.string()?; // group
        walk.array(offset_fetch_topic)?;
    }
    walk.skip_since(7, 1)?; // stable only
    walk.tags()
}

fn offset_fetch_topic(topic: &mut Walk<'_>) -> Step {
    topic.string()?;
    topic.array(|index| index.skip(4))?;
    topic.tags()
}

pub(crate) fn find_coordinator(walk: &mut Walk<'_>) -> Step {
    if walk.version <= 3 {
        walk.string()?; // key
    }
    walk.skip_since(1, 1)?; // key type
    if walk.version >= 4 {
        walk.array(|key| key.string())?;
    }
    walk.tags()
}

pub(crate) fn describe_groups(walk: &mut Walk<'_>) -> Step {
    walk.array(|group| group.string())?;
    walk.skip_since(3, 1)?; // authorized operations
    walk.tags()
}

pub(crate) fn list_groups(walk: &mut Walk<'_>) -> Step {
    if walk.version >= 4 {
        walk.array(|state| state.string())?;
    }
    if walk.version >= 5 {
        walk.array(|group_type| group_type.string())?;
    }
    walk.tags()
}

pub(crate) fn create_topics(walk: &mut Walk<'_>) -> Step {
    walk.array(|topic| {
        topic.string()?;
        topic.skip(4 + 2)?; // partitions, replicas
        topic.array(|assignment| {
            assignment.skip(4)?; // index
            assignment.array(|broker| broker.skip(4))?;
            assignment.tags()
        })?;
        topic.array(|config| {
            config.string()?;
            config.string()?;
            config.tags()
        })?;
        topic.tags()
    })?;
    walk.skip(4 + 1)?; // timeout, validate only
    walk.tags()
}

pub(crate) fn delete_topics(walk: &mut Walk<'_>) -> Step {
    if walk.version >= 6 {
        walk.array(|topic| {
            topic.string()?;
            topic.skip(16)?; // id
            topic.tags()
        })?;
    } else {
        walk.array(|name| name.string())?;
    }
    walk.skip(4)?; // timeout
    walk.tags()
}

pub(crate) fn init_producer_id(walk: &mut Walk<'_>) -> Step {
    walk.string()?; // transactional id
    walk.skip(4)?; // timeout
    walk.skip_since(3, 8 + 2)?; // producer id, epoch
    walk.tags()
}

pub(crate) fn describe_configs(walk: &mut Walk<'_>) -> Step {
    walk.array(|resource| {
        resource.skip(1)?; // type
        resource.string()?;
        resource.array(|name| name.string())?;
        resource.tags()
    })?;
    walk.skip(1)?; // synonyms
    walk.skip_since(3, 1)?; // documentation
    walk.tags()
}
