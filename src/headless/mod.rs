//! A run without a screen: lines for people or JSON for scripts, over the same link.
