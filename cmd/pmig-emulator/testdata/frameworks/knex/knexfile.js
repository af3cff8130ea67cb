module.exports = {
  client: 'mysql2',
  connection: {
    uri: process.env.DATABASE_URL,
    ssl: process.env.DATABASE_TLS && { rejectUnauthorized: true },
  },
  migrations: { directory: './migrations' },
};
