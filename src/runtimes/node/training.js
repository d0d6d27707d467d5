console.log('Hello, world');
