// The example's own knexfile without TLS, for looking at a database directly.
// A test copies it beside examples/knex/knexfile.js.
const config = require('./knexfile.js');

const { ssl, ...connection } = config.connection;

module.exports = { ...config, connection };
