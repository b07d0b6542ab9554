//! The inbox: a fold of one partition and the store it is kept in.
