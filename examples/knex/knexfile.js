// One configuration for the service, for `npx knex` and for pmig. The TLS
// setting is the one from PlanetScale's guide for Node: the certificate is
// checked. pmig's gateway has a certificate that this accepts.
module.exports = {
  client: 'mysql2',
  connection: {
    uri: process.env.DATABASE_URL,
    ssl: { rejectUnauthorized: true },
  },
  migrations: {
    directory: './migrations',
    tableName: 'migrations', // and so the lock table is migrations_lock
  },
};
