module.exports = {
  development: {
    use_env_variable: 'DATABASE_URL',
    dialect: 'mysql',
    dialectOptions: process.env.DATABASE_TLS
      ? { ssl: { rejectUnauthorized: true } }
      : {},
  },
};
