module.exports = {
  dialect: 'mysql',
  out: './migrations',
  dbCredentials: {
    host: process.env.DATABASE_HOST,
    port: Number(process.env.DATABASE_PORT),
    user: process.env.DATABASE_USER,
    password: process.env.DATABASE_PASSWORD,
    database: 'shop',
    ...(process.env.DATABASE_TLS && { ssl: { rejectUnauthorized: true } }),
  },
};
