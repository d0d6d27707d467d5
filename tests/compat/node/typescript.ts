import assert from 'node:assert';

interface Shape {
  area(): number;
}

class Square implements Shape {
  readonly side: number;

  constructor(side: number) {
    this.side = side;
  }

  area(): number {
    return this.side ** 2;
  }
}

const largest = <T extends Shape>(shapes: T[]): T => shapes.reduce((a, b) => (a.area() > b.area() ? a : b));

assert.strictEqual(largest([new Square(2), new Square(3) as Square]).area(), 9);
try {
  throw new Error('where?');
} catch (error) {
  assert.ok((error as Error).stack!.includes('main.ts:23:9'));
}
await Promise.resolve();
console.log('ok');
