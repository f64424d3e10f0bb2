console.log(process.env.MODEL_ENDPOINT);
