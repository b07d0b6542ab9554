//! Whole systems under test.
