//! The agents of one group: transfer agent, download agents, and the management agent over them.
